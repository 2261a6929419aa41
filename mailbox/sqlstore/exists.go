package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Exists reports whether there is a store already where o says, whatever its
// relay key. It changes nothing.
func Exists(ctx context.Context, o Options) (bool, error) {
	if o.URL == "" {
		_, err := os.Stat(o.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	e := &postgres{s: &Store{opts: o}}
	if err := e.prepare(ctx); err != nil {
		return false, fmt.Errorf("look for a store: %w", err)
	}
	defer e.close()
	on, err := e.connect(ctx, reads)
	if err != nil {
		return false, fmt.Errorf("look for a store: %w", err)
	}
	defer on.close()
	version, err := schemaVersion(ctx, on)
	if err != nil {
		return false, fmt.Errorf("look for a store: %w", err)
	}
	return version > 0, nil
}

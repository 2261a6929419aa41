package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// upgrade brings the database to the newest schema, and keeps what it was before
// where the engine can.
func (s *Store) upgrade(ctx context.Context) error {
	on := s.writer.on
	have, err := schemaVersion(ctx, on)
	if err != nil {
		return err
	}
	newest := len(on.dialect.migrations)
	if 0 < have && have < newest {
		if err := s.engine.keepOld(ctx, have); err != nil {
			return fmt.Errorf("keep a copy from before the change to schema %d: %w", newest, err)
		}
	}
	if err := migrate(ctx, on, on.dialect.migrations); err != nil || have == newest {
		return err
	}
	_, err = querier{ctx, on}.exec(querySetProgram, s.opts.Program)
	return err
}

const querySetProgram = `UPDATE meta SET program = $1`

// keepOld writes a copy of the database as it was, and has SQLite look over it. One
// that an interrupted change of the schema left is made anew.
func (e *sqliteEngine) keepOld(ctx context.Context, have int) error {
	path := e.s.opts.Path
	copied := fmt.Sprintf("%s.schema-%d", path, have)
	if err := os.Remove(copied); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := e.s.roomFor(path); err != nil {
		return err
	}
	if err := e.s.copyFile(ctx, copied); err != nil {
		return err
	}
	e.s.opts.Log.Warn("the store's schema changes with this version of the program; a copy from before was kept. "+
		"The way back: stop the relay, move the copy over the store, and install the former version; what came meanwhile is lost. "+
		"When the new version has proved itself, delete the copy", "store", path, "copy", copied)
	return nil
}

// roomFor refuses to begin what needs as much room again as the database has.
func (s *Store) roomFor(path string) error {
	size := int64(0)
	for _, p := range []string{path, path + "-wal"} {
		info, err := os.Stat(p)
		if err == nil {
			size += info.Size()
		}
	}
	free, _, err := s.opts.space(filepath.Dir(path))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	if need := size + size/10; free < need {
		return fmt.Errorf("%d MB are needed and %d MB are free: make room, or install the former version", need>>20+1, free>>20)
	}
	return nil
}

// keepOld says what the way back is. The change itself is one transaction.
func (e *postgres) keepOld(context.Context, int) error {
	e.s.opts.Log.Warn("the store's schema changes with this version of the program, in one transaction; the way back is the last backup")
	return nil
}

const queryProgram = `SELECT program FROM meta`

// newer is the error about a schema that this program does not know. It names the
// program that made it, if that has left its name.
func newer(ctx context.Context, on *session, have, known int) error {
	program := "the program that wrote it"
	var name string
	if found, err := (querier{ctx, on}).one(queryProgram, []any{&name}); found && err == nil && name != "" {
		program = name
	}
	return fmt.Errorf("%w: its schema is version %d, this program knows version %d; install %s, or a later version",
		ErrNewer, have, known, program)
}

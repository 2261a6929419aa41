package sqlstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/restante/restante/mailbox"
)

// reserve is a file that only takes up room. When the disk is full it goes, so that
// what makes room has room itself: a deletion writes to the log before it frees
// anything. It is made again when there is room for it.
type reserve struct {
	path string
	size int64

	mu   sync.Mutex
	held bool
}

func newReserve(o *Options) *reserve {
	return &reserve{path: o.Path + ".reserve", size: o.Reserve}
}

// reserveShare is how many times the reserve must be free for it to be made.
const reserveShare = 4

// make makes the file if it is missing and there is plenty of room.
func (r *reserve) make() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 || r.held {
		return nil
	}
	if info, err := os.Stat(r.path); err == nil && info.Size() == r.size {
		r.held = true
		return nil
	}
	free, _, err := diskSpace(filepath.Dir(r.path))
	if err != nil || free < reserveShare*r.size {
		return nil // the next sweep looks again
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(allocate(f, r.size), f.Close()); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	r.held = true
	return nil
}

// release gives the room up, and reports whether there was any.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	err := os.Remove(r.path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// writeZeros takes up room where the system has no better way.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for size > 0 {
		n, err := f.Write(zeros[:min(size, int64(len(zeros)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return f.Sync()
}

const (
	sqliteUnused   = `PRAGMA freelist_count`
	sqlitePageSize = `PRAGMA page_size`
)

// Space returns how much room there is for what the store keeps. What was deleted
// from an SQLite file stays the file's, for what comes next, and counts as free. For
// a server it is not known.
func (s *Store) Space(ctx context.Context) (mailbox.Space, error) {
	if s.opts.URL != "" {
		return mailbox.Space{}, nil
	}
	free, size, err := diskSpace(filepath.Dir(s.opts.Path))
	if errors.Is(err, errors.ErrUnsupported) {
		return mailbox.Space{}, nil
	}
	if err != nil {
		return mailbox.Space{}, err
	}
	var pages, pageSize int64
	err = s.readOne(ctx, "measure space", func(q querier) error {
		if _, err := q.one(sqliteUnused, []any{num(&pages)}); err != nil {
			return err
		}
		_, err := q.one(sqlitePageSize, []any{num(&pageSize)})
		return err
	})
	return mailbox.Space{Free: free + pages*pageSize, Size: size}, err
}

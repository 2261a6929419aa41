package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Spent remembers spent tokens in a file: their IDs one after another, in the
// order in which they came, and nothing else. The file belongs to one process. Its
// methods are safe for concurrent use.
type Spent struct {
	mu   sync.Mutex
	file *os.File
	size int64
	ids  map[ID]struct{}
}

// OpenSpent opens the file, which is made if it does not exist. An ID that a power
// cut has torn off is dropped: its Spend had not returned.
func OpenSpent(path string) (*Spent, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open spent tokens: %w", err)
	}
	s := &Spent{file: file, ids: map[ID]struct{}{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read spent tokens: %w", err), file.Close())
	}
	return s, nil
}

func (s *Spent) load() error {
	content, err := io.ReadAll(s.file)
	if err != nil {
		return err
	}
	for len(content) >= len(ID{}) {
		s.ids[ID(content[:len(ID{})])] = struct{}{}
		s.size += int64(len(ID{}))
		content = content[len(ID{}):]
	}
	return s.cut()
}

// Spend calls use, and remembers the token as spent if use returns nil; the
// error of use is returned as it is. The token is on disk before use is called, and
// taken back if use fails: one that was spent when the power went is lost, and none
// is worth two accounts. The error is ErrSpent if the token was spent before.
func (s *Spent) Spend(ctx context.Context, id ID, use func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, spent := s.ids[id]; spent {
		return ErrSpent
	}
	if err := ctx.Err(); err != nil {
		return err // it waited for its turn too long
	}
	if err := s.write(id); err != nil {
		return errors.Join(fmt.Errorf("remember spent token: %w", err), s.cut())
	}
	if err := use(); err != nil {
		return errors.Join(err, s.cut())
	}
	s.ids[id] = struct{}{}
	s.size += int64(len(id))
	return nil
}

// write puts an ID behind those that count.
func (s *Spent) write(id ID) error {
	if _, err := s.file.WriteAt(id[:], s.size); err != nil {
		return err
	}
	return s.file.Sync()
}

// cut takes away what stands in the file behind the IDs that count.
func (s *Spent) cut() error {
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	return s.file.Sync()
}

// Close closes the file.
func (s *Spent) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Close()
}

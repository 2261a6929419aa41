package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/restante/restante/mailbox/seal"
)

// smallMessage is up to which size a message being received stays in memory.
const smallMessage = 128 << 10

// budget bounds the bytes that all messages being received take together.
type budget struct{ free atomic.Int64 }

func newBudget(size int64) *budget {
	b := &budget{}
	b.free.Store(size)
	return b
}

// take reports whether there was room for n bytes more.
func (b *budget) take(n int64) bool {
	if b.free.Add(-n) >= 0 {
		return true
	}
	b.free.Add(n)
	return false
}

func (b *budget) give(n int64) { b.free.Add(n) }

// spool holds the bytes of one message: in memory, or in a file that is sealed
// under a key of its own and has no name any more where the system allows that.
type spool struct {
	memory, disk *budget
	dir          string

	small []byte
	held  int64 // of memory
	used  int64 // of disk

	file   *os.File
	sealed *seal.Spool
	body   *seal.BodyReader // of file, after finish
}

// Write appends p. Errors: ErrBusy, ErrFull, and what the disk says.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.small)+len(p) <= smallMessage {
		return len(p), s.grow(p)
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if !s.disk.take(int64(len(p))) {
		return 0, ErrBusy
	}
	s.used += int64(len(p))
	n, err := s.sealed.Write(p)
	return n, diskError(err)
}

// grow appends p to what is in memory, and counts the memory.
func (s *spool) grow(p []byte) error {
	if need := len(s.small) + len(p); need > cap(s.small) {
		size := min(max(need, 2*cap(s.small), 4<<10), smallMessage)
		if !s.memory.take(int64(size - cap(s.small))) {
			return ErrBusy
		}
		s.held = int64(size)
		s.small = append(make([]byte, 0, size), s.small...)
	}
	s.small = append(s.small, p...)
	return nil
}

// spill moves what is in memory to a file, and goes on there.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "restante-spool-*")
	if err != nil {
		return diskError(err)
	}
	// Without a name, the file goes with the process, however that ends. Where
	// an open file can't lose its name, close removes it.
	_ = os.Remove(f.Name())
	s.file, s.sealed = f, seal.NewSpool(f)
	small, held := s.small, s.held
	s.small, s.held = nil, 0
	_, err = s.Write(small)
	clear(small[:cap(small)])
	s.memory.give(held)
	return err
}

// finish ends the writing.
func (s *spool) finish() error {
	if s.file == nil {
		return nil
	}
	if err := s.sealed.Close(); err != nil {
		return diskError(err)
	}
	var err error
	if s.body, err = s.sealed.Reader(s.file); err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	return nil
}

// ReadAt reads what was written, after finish.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.body != nil {
		return s.body.ReadAt(p, off)
	}
	if off >= int64(len(s.small)) {
		return 0, io.EOF
	}
	n := copy(p, s.small[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// copyTo writes everything from offset off on to w.
func (s *spool) copyTo(w io.Writer, off int64) error {
	if s.body == nil {
		_, err := w.Write(s.small[min(off, int64(len(s.small))):])
		return err
	}
	part := s.body.Section(off, s.body.Size()-off)
	defer part.Close()
	_, err := part.WriteTo(w)
	return err
}

// close forgets everything. It may be called at any time, and twice.
func (s *spool) close() error {
	clear(s.small[:cap(s.small)])
	s.memory.give(s.held)
	s.disk.give(s.used)
	s.small, s.held, s.used, s.body = nil, 0, 0, nil
	if s.file == nil {
		return nil
	}
	// The sealer gives its buffer back; whether it could write no longer matters.
	_ = s.sealed.Close()
	f := s.file
	s.file = nil
	err := f.Close()
	if e := os.Remove(f.Name()); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// diskError tells a full disk from other trouble.
func diskError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write spool: %w", ErrFull)
	}
	return fmt.Errorf("write spool: %w", err)
}

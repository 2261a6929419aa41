package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/restante/restante/mailbox/seal"
)

// spoolMemory is how much of a mail stays in memory.
const spoolMemory = 256 << 10

// spool holds one mail between two steps: in memory while it is small, else in a
// file that is sealed under a key which exists only in memory. It is written by one
// goroutine, then finished, then read any number of times.
type spool struct {
	dir    string
	memory bytes.Buffer
	file   *os.File
	sealed *seal.Spool
	body   *seal.BodyReader
	size   int64
}

// newSpool returns an empty spool whose file, if it needs one, is in dir; "" is the
// system's folder for such files.
func newSpool(dir string) *spool { return &spool{dir: dir} }

func (s *spool) Write(b []byte) (int, error) {
	s.size += int64(len(b))
	if s.file == nil && s.memory.Len()+len(b) <= spoolMemory {
		return s.memory.Write(b)
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.sealed.Write(b)
}

// spill moves what is in memory into a file.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "restante-*.spool")
	if err != nil {
		return fmt.Errorf("spool mail: %w", err)
	}
	s.file, s.sealed = f, seal.NewSpool(f)
	_, err = s.sealed.Write(s.memory.Bytes())
	clear(s.memory.Bytes())
	s.memory = bytes.Buffer{}
	return err
}

// finish ends the writing.
func (s *spool) finish() error {
	if s.file == nil {
		return nil
	}
	if err := s.sealed.Close(); err != nil {
		return fmt.Errorf("spool mail: %w", err)
	}
	var err error
	s.body, err = s.sealed.Reader(s.file)
	return err
}

// reader returns the mail from an offset to its end. The spool is finished.
func (s *spool) reader(from int64) io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.memory.Bytes()[from:])
	}
	return s.body.Section(from, s.size-from)
}

// close forgets the mail. It may be called at any time.
func (s *spool) close() error {
	clear(s.memory.Bytes())
	if s.file == nil {
		return nil
	}
	// The sealer's Close gives its memory back; what it says no longer matters.
	_ = s.sealed.Close()
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.file = nil
	return err
}

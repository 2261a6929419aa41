//go:build unix

package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// processLock keeps other processes away from a store. The system drops it when
// the process ends, however it ends.
type processLock struct{ f *os.File }

// lockFile returns ErrLocked if another process, or another Open in this one,
// holds the lock.
func lockFile(path string) (*processLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &processLock{f}, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: it holds %s; stop it, or send it the command", ErrLocked, path)
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// release gives up the lock. It does so before the close, since a child that is
// being started may hold a copy of the descriptor for a moment. The file stays:
// removing it would let two processes lock two files of the same name.
func (l *processLock) release() error {
	return errors.Join(unix.Flock(int(l.f.Fd()), unix.LOCK_UN), l.f.Close())
}

// isFull reports whether there is no room for a file's bytes.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

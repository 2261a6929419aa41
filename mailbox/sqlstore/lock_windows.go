package sqlstore

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
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
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, new(windows.Overlapped))
	if err == nil {
		return &processLock{f}, nil
	}
	f.Close()
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return nil, fmt.Errorf("%w: it holds %s; stop it, or send it the command", ErrLocked, path)
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// release gives up the lock.
func (l *processLock) release() error { return l.f.Close() }

// isFull reports whether there is no room for a file's bytes.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// syncDir does nothing: NTFS journals names, and a folder can't be synced.
func syncDir(string) error { return nil }

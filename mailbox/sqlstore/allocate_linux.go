package sqlstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate takes up room on the disk for a file.
func allocate(f *os.File, size int64) error {
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err == nil {
		return nil
	}
	return writeZeros(f, size)
}

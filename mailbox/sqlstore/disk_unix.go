//go:build linux || darwin || freebsd

package sqlstore

import "golang.org/x/sys/unix"

// diskSpace returns how much of the file system that holds a path is free to us, and
// its size.
func diskSpace(path string) (free, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
}

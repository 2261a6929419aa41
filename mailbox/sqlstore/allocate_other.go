//go:build !linux

package sqlstore

import "os"

// allocate takes up room on the disk for a file.
func allocate(f *os.File, size int64) error { return writeZeros(f, size) }

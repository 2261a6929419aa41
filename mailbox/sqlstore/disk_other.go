//go:build !linux && !darwin && !freebsd && !windows

package sqlstore

import "errors"

// diskSpace is not known here.
func diskSpace(string) (free, size int64, err error) { return 0, 0, errors.ErrUnsupported }

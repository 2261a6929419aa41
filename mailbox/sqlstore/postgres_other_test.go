//go:build unix && !linux

package sqlstore

import "syscall"

// dieWithParent can't be had here.
func dieWithParent(*syscall.SysProcAttr) {}

package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// clobber is the setting of Go's runtime by which freed memory is overwritten: keys
// and texts that were in it are gone then, and not only out of use (package runtime,
// "Environment Variables").
const clobber = "clobberfree=1"

// clobberFreed sees to it that this process overwrites memory that it frees. The
// runtime looks at the setting when it starts, so the program is started anew in its
// own place, once. It does not return then.
func clobberFreed(getenv func(string) string) error {
	have := getenv("GODEBUG")
	if strings.Contains(have, "clobberfree=") {
		return nil
	}
	setting := clobber
	if have != "" {
		setting = have + "," + clobber
	}
	env := append(os.Environ(), "GODEBUG="+setting)
	if err := unix.Exec("/proc/self/exe", os.Args, env); err != nil {
		return fmt.Errorf("start anew with GODEBUG=%s (set it yourself, or set clobberfree=0 to do without): %w", setting, err)
	}
	return nil
}

package main

import (
	"bufio"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// harden keeps the memory of this process from being written to a disk: by a core
// dump, or by another process of the same user that reads it. It says so if there is
// swap space that nobody encrypts, where the system may put it nevertheless.
func harden(log *slog.Logger) {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		log.Warn("can't switch off core dumps, in which keys could be", "error", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("can't keep others from reading this process's memory", "error", err)
	}
	if plainSwap(os.DirFS("/")) {
		log.Warn("there is swap space that is not encrypted, where keys could come to lie: encrypt it, or switch it off")
	}
}

// plainSwap reports whether the system has swap space that is neither encrypted by
// dm-crypt nor in memory. What it can't tell it takes for plain.
func plainSwap(root fs.FS) bool {
	f, err := root.Open("proc/swaps")
	if err != nil {
		return false // a system without swap has no such file
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for first := true; lines.Scan(); first = false {
		fields := strings.Fields(lines.Text())
		if first || len(fields) == 0 {
			continue // the heading
		}
		if !safeSwap(root, fields[0]) {
			return true
		}
	}
	return false
}

// safeSwap reports whether a swap device is encrypted, or compressed memory.
func safeSwap(root fs.FS, device string) bool {
	name := path.Base(device)
	if strings.HasPrefix(name, "zram") {
		return true
	}
	uuid, err := fs.ReadFile(root, path.Join("sys/class/block", name, "dm/uuid"))
	return err == nil && strings.HasPrefix(string(uuid), "CRYPT-")
}

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// leastFree is how much of a disk should be free: below it, the relay closes sign-up.
const leastFree = 10 // percent

// Disk looks at the room that is left where the folder is.
func Disk(dir string) Finding {
	const check = "disk"
	free, size, err := space(dir)
	if err != nil {
		return unsure(check, "can't be asked: "+err.Error())
	}
	percent := int(100 * free / max(size, 1))
	text := fmt.Sprintf("%d %% of %.0f GB are free", percent, float64(size)/1e9)
	if percent < leastFree {
		return wrong(check, text, "make room, or let mail go sooner (expiry.*_days): below 10 % nobody can sign up, below 5 % no mail is taken")
	}
	return ok(check, text)
}

// Files looks at who can read what the relay keeps: a folder, and files with secrets
// in or beside it. A file that is not there is passed over.
func Files(dir string, secrets ...string) []Finding {
	const check = "files"
	if runtime.GOOS == "windows" {
		return []Finding{unsure(check, "modes say nothing on this system")}
	}
	var all []Finding
	for _, path := range append([]string{dir}, secrets...) {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, fs.ErrPermission):
			all = append(all, unsure(check, path+" can't be looked at: run this as the relay's user or as root"))
		case err != nil:
			all = append(all, unsure(check, err.Error()))
		case info.Mode().Perm()&0o077 != 0:
			all = append(all, wrong(check, fmt.Sprintf("others can use %s (%s)", path, info.Mode().Perm()), "take that away from them\nchmod go= "+path))
		}
	}
	if len(all) == 0 {
		all = append(all, ok(check, "only the relay's user can read "+dir))
	}
	return all
}

// Written looks at a file that others may read, and must not write: the configuration.
func Written(path string) Finding {
	const check = "configuration"
	info, err := os.Stat(path)
	if err != nil {
		return unsure(check, err.Error())
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return wrong(check, fmt.Sprintf("others can write %s (%s)", path, info.Mode().Perm()), "take that away from them\nchmod go-w "+path)
	}
	return ok(check, filepath.Base(path)+" has no faults")
}

// Clock looks at whether something keeps the clock right: signatures, certificates
// and terms of mail go by it.
func Clock() Finding {
	const check = "clock"
	right, err := clockKept()
	switch {
	case err != nil:
		return unsure(check, "can't be asked: "+err.Error())
	case !right:
		return wrong(check, "nothing keeps it right", "install a program that asks time servers\napt install systemd-timesyncd")
	}
	return ok(check, "kept right by a time server")
}

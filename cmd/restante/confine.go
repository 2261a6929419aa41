package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/restante/restante/internal/config"
)

// reach is what a relay can open once it has confined itself: folders with all that
// is in them.
type reach struct {
	write []string // and read
	read  []string
}

// reachOf is what a relay of this configuration needs after its start. Certificates,
// passwords and DKIM keys are read again while it runs, and are replaced by others that
// are put in their place: so it is their folders that it needs.
func reachOf(cfg *config.Config) reach {
	r := reach{
		write: []string{cfg.DataDir, filepath.Dir(cfg.AdminSocket)},
		// The resolver's settings and, of a program built with cgo, its libraries.
		read: []string{"/etc", folderOf("/etc/resolv.conf"), "/usr/lib", "/lib", "/lib64"},
	}
	if kind, path, err := cfg.StoreTarget(); err == nil && kind == config.SQLite {
		r.write = append(r.write, filepath.Dir(path))
	}
	r.write = append(r.write, cfg.Confine.Folders...)
	r.read = append(r.read, cfg.Queue.DKIMDir)
	for _, file := range []string{cfg.TLS.CertFile, cfg.TLS.KeyFile, cfg.StorePasswordFile, cfg.HintBusCredentials, cfg.S3.CredentialsFile} {
		if file != "" {
			r.read = append(r.read, filepath.Dir(file), folderOf(file))
		}
	}
	r.write, r.read = tidyFolders(r.write), tidyFolders(r.read)
	return r
}

// folderOf is where a file is in the end: the folder of what a symbolic link leads to,
// as certbot and systemd-resolved make them. A file that is not there has none.
func folderOf(file string) string {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return ""
	}
	return filepath.Dir(real)
}

// tidyFolders sorts paths, and drops those that are empty or said twice.
func tidyFolders(paths []string) []string {
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return strings.Trim(p, ".") == "" })
	slices.Sort(paths)
	return slices.Compact(paths)
}

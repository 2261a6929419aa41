//go:build unix && !darwin

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// userDataDir is where programs keep what is the user's (XDG Base Directory).
func userDataDir(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share"), nil
	}
	return "", errors.New("HOME is not set")
}

const unitName = "restante-gateway.service"

// serviceFile returns the systemd user unit of a gateway: where it belongs, what it
// says, and what the user does with it.
func serviceFile(s service, getenv func(string) string) (path, content, next string, err error) {
	base := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		home := getenv("HOME")
		if home == "" {
			return "", "", "", errors.New("HOME is not set")
		}
		base = filepath.Join(home, ".config")
	}
	var b strings.Builder
	b.WriteString("[Unit]\n" +
		"Description=Restante gateway, encrypted mail for this user's mail client\n" +
		"\n" +
		"[Service]\n")
	fmt.Fprintf(&b, "ExecStart=%s gateway run --dir %s\n", unitWord(s.program), unitWord(s.dir))
	if s.passphraseFile != "" {
		fmt.Fprintf(&b, "Environment=%s\n", unitWord(passphraseFileEnv+"="+s.passphraseFile))
	}
	b.WriteString("Restart=on-failure\n" +
		"RestartSec=5\n" +
		"RestartPreventExitStatus=2\n" +
		"UMask=0077\n" +
		"LimitCORE=0\n" +
		"NoNewPrivileges=yes\n" +
		"LockPersonality=yes\n" +
		"RestrictRealtime=yes\n" +
		"RestrictSUIDSGID=yes\n" +
		"\n" +
		"[Install]\n" +
		"WantedBy=default.target\n")
	next = "systemctl --user daemon-reload && systemctl --user enable --now " + unitName
	return filepath.Join(base, "systemd", "user", unitName), b.String(), next, nil
}

// unitWord quotes a word of a unit file (systemd.syntax(7), systemd.service(5)).
func unitWord(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$", "\n", `\n`).Replace(s)
	return `"` + s + `"`
}

// writeService puts a unit into place.
func writeService(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

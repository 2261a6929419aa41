package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// userDataDir is where programs keep what is the user's and stays on this machine.
func userDataDir(getenv func(string) string) (string, error) {
	if dir := getenv("LocalAppData"); dir != "" {
		return dir, nil
	}
	return "", errors.New("LocalAppData is not set")
}

// serviceFile returns the file in the Startup folder that starts a gateway when its
// user logs in, out of sight. Windows has no services of users.
func serviceFile(s service, getenv func(string) string) (path, content, next string, err error) {
	base := getenv("AppData")
	if base == "" {
		return "", "", "", errors.New("AppData is not set")
	}
	command := quoted(s.program) + " gateway run --dir " + quoted(s.dir)
	content = "Set shell = CreateObject(\"WScript.Shell\")\r\n"
	if s.passphraseFile != "" {
		content += "shell.Environment(\"PROCESS\")(" + vbsText(passphraseFileEnv) + ") = " + vbsText(s.passphraseFile) + "\r\n"
	}
	content += "shell.Run " + vbsText(command) + ", 0, False\r\n"
	path = filepath.Join(base, "Microsoft", "Windows", "Start Menu", "Programs", "Startup", "restante-gateway.vbs")
	return path, content, "wscript " + quoted(path), nil
}

func quoted(s string) string { return `"` + s + `"` }

// vbsText is a string of VBScript, in which quotes are doubled.
func vbsText(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// writeService puts the file into place.
func writeService(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) }

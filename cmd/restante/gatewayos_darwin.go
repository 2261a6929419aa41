package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// userDataDir is where programs keep what is the user's.
func userDataDir(getenv func(string) string) (string, error) {
	home := getenv("HOME")
	if home == "" {
		return "", errors.New("HOME is not set")
	}
	return filepath.Join(home, "Library", "Application Support"), nil
}

const agentName = "org.restante.gateway"

// serviceFile returns the launchd agent of a gateway: where it belongs, what it says,
// and what the user does with it.
func serviceFile(s service, getenv func(string) string) (path, content, next string, err error) {
	home := getenv("HOME")
	if home == "" {
		return "", "", "", errors.New("HOME is not set")
	}
	path = filepath.Join(home, "Library", "LaunchAgents", agentName+".plist")
	var b bytes.Buffer
	b.WriteString(xml.Header + "<plist version=\"1.0\"><dict>\n")
	fmt.Fprintf(&b, "<key>Label</key><string>%s</string>\n<key>ProgramArguments</key><array>", agentName)
	for _, word := range []string{s.program, "gateway", "run", "--dir", s.dir} {
		b.WriteString("<string>" + plistText(word) + "</string>")
	}
	b.WriteString("</array>\n<key>RunAtLoad</key><true/>\n<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>\n")
	if s.passphraseFile != "" {
		fmt.Fprintf(&b, "<key>EnvironmentVariables</key><dict><key>%s</key><string>%s</string></dict>\n", passphraseFileEnv, plistText(s.passphraseFile))
	}
	b.WriteString("</dict></plist>\n")
	return path, b.String(), "launchctl bootstrap gui/$(id -u) '" + path + "'", nil
}

func plistText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

// writeService puts an agent into place.
func writeService(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

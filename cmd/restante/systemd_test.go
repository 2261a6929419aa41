//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSystemd starts the relay as systemd does: with a socket that is open already, a
// watchdog to be kept content, and a socket to say so.
func TestSystemd(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "r") // a short path, for the sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte(testConfig(filepath.Join(dir, "data"))), 0o600); err != nil {
		t.Fatal(err)
	}
	notices, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notices.Close()
	imaps, file := socketFile(t)

	relay := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" serve --config "$1"`, restanteCommand(t), config)
	relay.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=imaps", "NOTIFY_SOCKET="+notices.LocalAddr().String(), "WATCHDOG_USEC=200000")
	relay.ExtraFiles = []*os.File{file}
	var out bytes.Buffer
	relay.Stderr = &out
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- relay.Wait() }()
	defer relay.Process.Kill()

	await := func(want string) {
		t.Helper()
		buf := make([]byte, 1024)
		for {
			notices.SetReadDeadline(time.Now().Add(2 * time.Minute))
			n, err := notices.Read(buf)
			if err != nil {
				t.Fatalf("systemd was not told %s: %v\n%s", want, err, out.String())
			}
			if strings.Contains(string(buf[:n]), want) {
				return
			}
		}
	}
	await("READY=1")
	c, err := tls.Dial("tcp", imaps, &tls.Config{InsecureSkipVerify: true}) // who answers is what counts
	if err != nil {
		t.Fatalf("the socket that systemd opened is not served: %v", err)
	}
	c.Close()
	await("WATCHDOG=1")
	await("WATCHDOG=1")
	if err := relay.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await("STOPPING=1")
	if err := <-ended; err != nil {
		t.Errorf("the relay ended with %v:\n%s", err, out.String())
	}
}

// socketFile returns a socket that listens, and its address.
func socketFile(t *testing.T) (string, *os.File) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return ln.Addr().String(), file
}

// restanteCommand is a path under which this test binary is the command restante.
func restanteCommand(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "restante")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

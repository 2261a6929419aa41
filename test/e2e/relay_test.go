//go:build e2e

// Package e2e drives real mail clients against the built binary, as their users
// would. It is behind the build tag e2e because it needs the clients: a missing
// one is a failure that names the package to install, never a skip.
//
//	make e2e
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for another program.
const patience = 60 * time.Second

// relay is a running `restante demo`.
type relay struct {
	SMTPS      string `json:"smtps"`
	Submission string `json:"submission"`
	MX         string `json:"mx"`
	IMAPS      string `json:"imaps"`
	IMAP       string `json:"imap"`
	HTTPS      string `json:"https"`
	Metrics    string `json:"metrics"`
	Domain     string `json:"domain"`
	CAFile     string `json:"ca_file"`
	PID        int    `json:"pid"`
	Gate       bool   `json:"gate"`
	Accounts   []account

	cmd    *exec.Cmd
	exited chan error
	gone   bool
	dir    string
	log    *os.File
}

type account struct {
	Address  string `json:"address"`
	Password string `json:"password"`
}

// binary is the program under test: $RESTANTE, or what `make build` makes.
func binary(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("RESTANTE"); p != "" {
		return p
	}
	p, err := filepath.Abs(filepath.Join("..", "..", "bin", "restante"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("no binary to test: run make build, or set RESTANTE (%v)", err)
	}
	return p
}

// start runs a relay with two accounts for the length of the test.
func start(t *testing.T, flags ...string) *relay {
	t.Helper()
	return startIn(t, filepath.Join(t.TempDir(), "relay"), flags...)
}

// startIn is start on a folder that may have been a relay's before.
func startIn(t *testing.T, dir string, flags ...string) *relay {
	t.Helper()
	return startBinary(t, binary(t), dir, flags...)
}

func startBinary(t *testing.T, binary, dir string, flags ...string) *relay {
	t.Helper()
	work := t.TempDir()
	ready := filepath.Join(work, "ready.json")
	logFile, err := os.Create(filepath.Join(work, "output"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"demo", "--dir", dir, "--accounts", "2", "--ready", ready, "--unlimited"}, flags...)
	r := &relay{cmd: exec.Command(binary, args...), exited: make(chan error, 1), log: logFile, dir: dir}
	r.cmd.Stdout, r.cmd.Stderr = logFile, logFile
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.exited <- r.cmd.Wait() }()
	t.Cleanup(func() { r.stop(t) })
	r.waitReady(t, ready)
	return r
}

func (r *relay) waitReady(t *testing.T, file string) {
	t.Helper()
	deadline := time.After(patience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		b, err := os.ReadFile(file)
		if err == nil {
			if err := json.Unmarshal(b, r); err != nil {
				t.Fatalf("ready file: %v in %s", err, b)
			}
			return
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		select {
		case <-look.C:
		case err := <-r.exited:
			t.Fatalf("the relay ended before it was ready (%v):\n%s", err, r.output())
		case <-deadline:
			t.Fatalf("the relay was not ready after %v:\n%s", patience, r.output())
		}
	}
}

func (r *relay) output() string {
	b, err := os.ReadFile(r.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// stop asks the relay to end and holds it to a clean exit. After that, or after
// kill, it does nothing.
func (r *relay) stop(t *testing.T) {
	t.Helper()
	if r.gone {
		return
	}
	r.gone = true
	defer r.log.Close()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop the relay: %v\n%s", err, r.output())
		return
	}
	select {
	case err := <-r.exited:
		if err != nil {
			t.Errorf("the relay did not end cleanly: %v", err)
		}
	case <-time.After(patience):
		_ = r.cmd.Process.Kill()
		t.Errorf("the relay did not end on SIGTERM within %v", patience)
	}
	if t.Failed() {
		t.Logf("the relay's output:\n%s", r.output())
	}
}

// kill ends the relay as a crash would.
func (r *relay) kill(t *testing.T) {
	t.Helper()
	r.gone = true
	defer r.log.Close()
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-r.exited
}

// need fails the test when a client is missing, and says how to get it.
func need(t *testing.T, program, debianPackage string) string {
	t.Helper()
	p, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is needed: apt-get install %s", program, debianPackage)
	}
	return p
}

// run runs a client to its end and returns what it printed.
func run(t *testing.T, stdin string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(t, stdin, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// try is run for a command that may fail.
func try(t *testing.T, stdin string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func hostPort(t *testing.T, hostport string) (host string, port int) {
	t.Helper()
	host, p, err := net.SplitHostPort(hostport)
	if err != nil {
		t.Fatal(err)
	}
	port, err = strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// write puts a file into dir and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

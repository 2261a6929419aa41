//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as the command restante.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"restante": main, "confined": confined})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":        await,
			"signal":       signalRelay,
			"sameaccounts": sameAccounts,
			"fingerprint":  fingerprint,
			"capture":      capture,
			"lines":        linesToFile,
		},
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			// The path of a Unix socket must be short, and $WORK is not.
			dir, err := os.MkdirTemp("", "r")
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("DATA", dir)
			e.Setenv("TMPDIR", e.WorkDir)
			return os.WriteFile(e.WorkDir+"/config.toml", []byte(testConfig(dir)), 0o600)
		},
	})
}

// condition knows [confines]: whether this system can confine a relay to its folders.
func condition(name string) (bool, error) {
	if name != "confines" {
		return false, fmt.Errorf("there is no condition %q", name)
	}
	return canConfine(), nil
}

// testConfig is a relay on free ports of loopback.
func testConfig(dir string) string {
	s := "domain = \"relay.test\"\ndata_dir = '" + dir + "'\n"
	for _, l := range []string{"smtps", "submission", "mx", "imaps", "imap", "https"} {
		s += "[listen." + l + "]\naddress = \"127.0.0.1:0\"\nnetwork = \"shared\"\n"
	}
	return s
}

// await waits until a file is there, and holds a text if one is given:
// `await ready.json`, `await log 'reloaded'`.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [TEXT]")
	}
	text := strings.Join(args[1:], "")
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(b), text) {
			return
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Fatalf("await: %v", err)
		}
		select {
		case <-look.C:
		case <-deadline:
			ts.Fatalf("await: %s with %q did not come:\n%s", args[0], text, b)
		}
	}
}

// signalRelay sends a signal to the process that a ready file names:
// `signal TERM ready.json`.
func signalRelay(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal HUP|TERM|INT READYFILE")
	}
	var r ready
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &r))
	ts.Check(syscall.Kill(r.PID, signals[args[0]]))
}

// sameAccounts holds two ready files to the same accounts.
func sameAccounts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameaccounts FILE FILE")
	}
	var a, b ready
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &a))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &b))
	if diff := cmp.Diff(a.Accounts, b.Accounts); diff != "" || len(a.Accounts) == 0 {
		ts.Fatalf("the accounts differ, or there are none:\n%s", diff)
	}
}

// fingerprint sets a variable to the hash of the certificate that a relay shows:
// `fingerprint VARIABLE READYFILE`.
func fingerprint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fingerprint VARIABLE READYFILE")
	}
	var r ready
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &r))
	// Which certificate it is matters here, not whom it is for.
	c, err := tls.Dial("tcp", r.IMAPS, &tls.Config{InsecureSkipVerify: true})
	ts.Check(err)
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw)
	ts.Setenv(args[0], hex.EncodeToString(sum[:]))
}

// capture sets a variable to the rest of the line in a file that begins with a
// word: `capture PASSWORD stdout Password`.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture VARIABLE FILE WORD")
	}
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if rest, ok := strings.CutPrefix(line, args[2]); ok {
			ts.Setenv(args[0], strings.TrimSpace(rest))
			return
		}
	}
	ts.Fatalf("capture: no line begins with %q", args[2])
}

// linesToFile writes its arguments to a file, one a line: `lines secrets $OLD new`.
func linesToFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: lines FILE LINE...")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(args[1:], "\n")+"\n"), 0o600))
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args string
		code int
		text string // on stderr
	}{
		{"help", "--help", 0, ""},
		{"no command", "", 0, ""},
		{"unknown command", "serv", 2, `did you mean "serve"?`},
		{"unknown subcommand", "account nwe", 2, `did you mean "new"?`},
		{"unknown flag", "demo --nope", 2, "unknown flag"},
		{"no accounts", "demo --accounts 0", 2, "at least one"},
		{"too many arguments", "account show a b", 2, "one account"},
		{"no configuration", "serve --config /nonexistent/config.toml", 1, "no such file"},
		{"no configuration, what to do", "status --config /nonexistent/config.toml", 1, "restante setup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			e := env{strings.NewReader(""), &stdout, &stderr, func(string) string { return "" }}
			if got := run(context.Background(), strings.Fields(c.args), e); got != c.code {
				t.Errorf("exit code %d, want %d; stderr: %s", got, c.code, &stderr)
			}
			if !strings.Contains(stderr.String(), c.text) {
				t.Errorf("stderr %q, want it to contain %q", &stderr, c.text)
			}
		})
	}
}

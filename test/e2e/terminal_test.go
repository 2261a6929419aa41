//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// terminal is a program in a terminal of its own, which a test reads and types at
// as a person would.
type terminal struct {
	t      *testing.T
	socket string
	env    []string
}

// newTerminal starts a command in tmux. The test ends it if it does not end.
func newTerminal(t *testing.T, env []string, command string) *terminal {
	t.Helper()
	need(t, "tmux", "tmux")
	dir, err := os.MkdirTemp("", "tmux") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, socket: filepath.Join(dir, "s"), env: append(env, "TERM=xterm", "LC_ALL=C.UTF-8", "HOME="+t.TempDir())}
	t.Cleanup(func() {
		_, _ = x.tmux("kill-server")
		os.RemoveAll(dir)
	})
	if out, err := x.tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", command); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	return x
}

func (x *terminal) tmux(args ...string) (string, error) {
	return try(x.t, "", x.env, "tmux", append([]string{"-S", x.socket}, args...)...)
}

// keys types keys, in the names of tmux.
func (x *terminal) keys(keys ...string) {
	x.t.Helper()
	for _, k := range keys {
		if out, err := x.tmux("send-keys", k); err != nil {
			x.t.Fatalf("type %s: %v\n%s", k, err, out)
		}
	}
}

// await waits until the screen shows a text.
func (x *terminal) await(text string) {
	x.t.Helper()
	x.poll(func() (bool, string) {
		screen, err := x.tmux("capture-pane", "-p")
		if err != nil {
			x.t.Fatalf("the program ended before it showed %q", text)
		}
		return strings.Contains(screen, text), "the screen never showed " + text + " but:\n" + screen
	})
}

// awaitEnd waits until the program has ended.
func (x *terminal) awaitEnd() {
	x.t.Helper()
	x.poll(func() (bool, string) {
		screen, err := x.tmux("capture-pane", "-p")
		return err != nil, "the program did not end; its screen:\n" + screen
	})
}

func (x *terminal) poll(done func() (bool, string)) {
	x.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(patience)
	for {
		ok, complaint := done()
		if ok {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			x.t.Fatal(complaint)
		}
	}
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// thunderbird is a running Thunderbird with a fresh profile, on a screen that
// nobody sees.
type thunderbird struct {
	*marionette
	t     *testing.T
	relay *relay
	user  account
}

// newThunderbird starts Thunderbird for the length of the test, has it trust the
// relay's authority, and gives it an address and a password, as its user would: it
// finds the servers by the relay's autoconfig.
func newThunderbird(t *testing.T, r *relay, a account) *thunderbird {
	t.Helper()
	profile := t.TempDir()
	write(t, profile, "user.js", thunderbirdPrefs(t, r))
	env := []string{"DISPLAY=" + newScreen(t), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	runThunderbird(t, profile, env)
	port := filepath.Join(profile, "MarionetteActivePort")
	b := &thunderbird{t: t, user: a, relay: r}
	b.poll(func() (bool, string) {
		text, err := os.ReadFile(port)
		if err != nil || len(text) == 0 {
			return false, fmt.Sprintf("Thunderbird does not listen: %v", err)
		}
		if b.marionette, err = dialMarionette(string(text)); err != nil {
			t.Fatal(err)
		}
		return true, ""
	})
	t.Cleanup(b.quit)
	b.introduce(r)
	return b
}

// runThunderbird starts the program, and at the end of the test holds it to end.
func runThunderbird(t *testing.T, profile string, env []string) {
	t.Helper()
	output, err := os.Create(filepath.Join(t.ArtifactDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need(t, "thunderbird", "thunderbird"),
		"--profile", profile, "--no-remote", "--marionette", "--remote-allow-system-access")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hung := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			t.Errorf("Thunderbird: %v", err)
		}
		hung.Stop()
		output.Close()
	})
}

// newScreen starts an X server without a screen, and returns its name.
func newScreen(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(need(t, "Xvfb", "xvfb"), "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var n int
	if _, err := fmt.Fscanln(r, &n); err != nil {
		t.Fatalf("Xvfb: %v", err)
	}
	return fmt.Sprintf(":%d", n)
}

// thunderbirdPrefs is the file of preferences. There is no account in it. The relay's
// names, and all others, are those of this machine; the ports of the web are those
// of the relay, which leaves nothing that reaches for the internet.
//
// There are no alerts for new mail: Thunderbird 153 leaves a mail undecrypted, and
// shows it empty from then on, if the window of an alert is about to open while it
// loads the mail (mimeDecrypt.sys.mjs, onStopRequest, "about:blank").
func thunderbirdPrefs(t *testing.T, r *relay) string {
	t.Helper()
	_, https := hostPort(t, r.HTTPS)
	prefs := map[string]any{
		"network.dns.forceResolve": "127.0.0.1", "network.socket.forcePort": fmt.Sprintf("443=%d", https),
		"mail.openpgp.keyserver_list": "", // keys come from the relay's directory, or not at all
		"mail.biff.show_alert":        false, "mail.biff.play_sound": false,
		"mail.provider.suppress_dialog_on_startup": true,
		"marionette.port":                          0, // any that is free
		"app.update.enabled":                       false, "services.settings.server": "data:,",
		"datareporting.policy.dataSubmissionEnabled": false, "mailnews.start_page.enabled": false,
		"mail.shell.checkDefaultClient": false, "mail.rights.version": 1,
	}
	var b strings.Builder
	for name, value := range prefs {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "user_pref(%q, %s);\n", name, text)
	}
	return b.String()
}

// introduce makes the relay known, sets the account up, opens the inbox, and waits
// for all folders. Thunderbird gives the relay five seconds for an answer; a machine
// that is busy may need a second try, as its user would make.
func (b *thunderbird) introduce(r *relay) {
	b.t.Helper()
	file, err := os.ReadFile(r.CAFile)
	if err != nil {
		b.t.Fatal(err)
	}
	authority, _ := pem.Decode(file)
	if authority == nil {
		b.t.Fatalf("no certificate in %s", file)
	}
	b.act(nil, "trust", authority.Bytes) // JSON makes it base64
	b.poll(func() (bool, string) {
		err := b.do(nil, "setUp", b.user.Address, b.user.Password)
		return err == nil, fmt.Sprintf("the account is not set up: %v", err)
	})
	b.poll(func() (bool, string) {
		err := b.do(nil, "openInbox")
		return err == nil, fmt.Sprintf("the inbox does not open: %v", err)
	})
	b.awaitFolder("Sent", 0)
}

// act runs an action that must succeed.
func (b *thunderbird) act(result any, action string, args ...any) {
	b.t.Helper()
	if err := b.do(result, action, args...); err != nil {
		b.shoot("failed")
		b.t.Fatal(err)
	}
}

// awaitFolder waits until Thunderbird knows a folder to have a number of messages.
func (b *thunderbird) awaitFolder(name string, messages int) {
	b.t.Helper()
	b.poll(func() (bool, string) {
		var folders map[string]int
		b.act(&folders, "folders")
		n, ok := folders[name]
		return ok && n == messages, fmt.Sprintf("the folders have %v messages, want %d in %s", folders, messages, name)
	})
}

// poll asks until the answer is yes, or fails with the complaint.
func (b *thunderbird) poll(done func() (ok bool, complaint string)) {
	b.t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for {
		ok, complaint := done()
		if ok {
			return
		}
		select {
		case <-look.C:
		case <-late:
			b.shoot("late")
			b.t.Fatal(complaint)
		}
	}
}

// shoot keeps a picture of each window, which `go test -artifacts` keeps.
func (b *thunderbird) shoot(name string) {
	b.t.Helper()
	if b.marionette == nil {
		return
	}
	windows, err := b.windows()
	if err != nil {
		b.t.Errorf("screenshot: %v", err)
	}
	slices.Reverse(windows) // so that the main window is the current one again
	for i, w := range windows {
		picture, err := b.screenshot(w)
		if err != nil {
			b.t.Logf("screenshot: %v", err)
			continue
		}
		write(b.t, b.t.ArtifactDir(), fmt.Sprintf("%s-%d.png", name, i), string(picture))
	}
}

func (b *thunderbird) quit() {
	if b.t.Failed() {
		b.shoot("end")
	}
	if err := b.command(nil, "Marionette:Quit", map[string]any{"flags": []string{"eForceQuit"}}); err != nil {
		b.t.Errorf("end Thunderbird: %v", err)
	}
	b.conn.Close()
}

//go:build e2e && thunderbird

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

// newThunderbird starts Thunderbird with one account, the servers of which its
// preferences name, for the length of the test. It trusts the relay's authority
// and knows the passwords.
func newThunderbird(t *testing.T, r *relay, a account) *thunderbird {
	t.Helper()
	profile := t.TempDir()
	write(t, profile, "user.js", thunderbirdPrefs(t, r, a))
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
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
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

// thunderbirdPrefs is the file of preferences: the account, and nothing that
// reaches for the internet. Thunderbird does not log in by itself, as it does not
// know the relay's authority yet.
func thunderbirdPrefs(t *testing.T, r *relay, a account) string {
	t.Helper()
	_, imaps := hostPort(t, r.IMAPS)
	_, smtps := hostPort(t, r.SMTPS)
	const tls, password = 3, 3 // the numbers of Thunderbird
	prefs := map[string]any{
		"mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
		"mail.account.account1.identities": "id1", "mail.account.account1.server": "server1",
		"mail.server.server1.type": "imap", "mail.server.server1.name": a.Address,
		"mail.server.server1.hostname": "localhost", "mail.server.server1.port": imaps,
		"mail.server.server1.socketType": tls, "mail.server.server1.authMethod": password,
		"mail.server.server1.userName": a.Address, "mail.server.server1.login_at_startup": false,
		"mail.identity.id1.useremail": a.Address, "mail.identity.id1.fullName": "Alice",
		"mail.identity.id1.smtpServer": "smtp1", "mail.identity.id1.valid": true,
		"mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1",
		"mail.smtpserver.smtp1.hostname": "localhost", "mail.smtpserver.smtp1.port": smtps,
		"mail.smtpserver.smtp1.try_ssl": tls, "mail.smtpserver.smtp1.authMethod": password,
		"mail.smtpserver.smtp1.username": a.Address,
		"marionette.port":                0, // any that is free
		"app.update.enabled":             false, "services.settings.server": "data:,",
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

// introduce makes the relay known, opens the inbox, and waits for all folders.
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
	for _, origin := range []string{"imap://localhost", "smtp://localhost"} {
		b.act(nil, "remember", origin, b.user.Address, b.user.Password)
	}
	b.act(nil, "openInbox")
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

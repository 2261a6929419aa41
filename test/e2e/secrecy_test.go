//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-smtp"
)

// The markers that the scenario puts wherever people's data goes.
const (
	markSubject = "marksubjectqzx"
	markText    = "marktextqzx"
	markFolder  = "markfolderqzx"
	markKeyword = "markkeywordqzx"
	markName    = "marknameqzx"
	markHost    = "markhostqzx"
	markAgent   = "markagentqzx"
	markUser    = "markuserqzx"
	markID      = "markidqzx"
)

// TestSecrecy looks through everything that a relay keeps and says, while it
// runs and after, for what it must not keep or say.
func TestSecrecy(t *testing.T) {
	t.Parallel()
	if found := secrecyScenario(t, binary(t)); len(found) > 0 {
		t.Errorf("found in the store or the output:\n%s", strings.Join(found, "\n"))
	}
}

// TestSecrecyControl runs the same scenario on a binary with sealing off: if the
// scan found nothing there, it would prove nothing.
func TestSecrecyControl(t *testing.T) {
	t.Parallel()
	found := strings.Join(secrecyScenario(t, unsealed(t)), "\n")
	for _, want := range []string{"sender's address", "recipient's address", markFolder, markKeyword, markID, "ciphertext"} {
		if !strings.Contains(found, want) {
			t.Errorf("with sealing off the scan finds no %s, so it could not have with sealing on; it finds:\n%s", want, found)
		}
	}
}

// unsealed builds the program with sealing off, and lets it serve all the same.
func unsealed(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "restante-unsealed")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // it compiles nearly everything anew
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-tags", "unsealed,unsealedserve", "-o", file, "../../cmd/restante").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

func secrecyScenario(t *testing.T, binary string) []string {
	t.Helper()
	r := startBinary(t, binary, t.TempDir())
	alice, bob := r.Accounts[0], r.Accounts[1]
	mail := newGnuPG(t, r.Accounts).mail(t, alice, bob, markText)
	markers := map[string]string{
		"sender's address": alice.Address, "recipient's address": bob.Address,
		"sender's name": strings.Split(alice.Address, "@")[0], "recipient's name": strings.Split(bob.Address, "@")[0],
		"sender's password": alice.Password, "client IP": clientIP,
		"ciphertext": strings.Split(strings.SplitN(mail, "-----BEGIN PGP MESSAGE-----\r\n\r\n", 2)[1], "\r\n")[1],
	}
	for _, m := range []string{markSubject, markText, markFolder, markKeyword, markName, markHost, markAgent, markUser, markID} {
		markers[m] = m
	}
	useSMTP(t, r, mail)
	useMX(t, r, mail)
	useIMAP(t, r, mail)
	found := scan(t, markers, r.dir, r.log.Name()) // with the write-ahead log as it is
	r.stop(t)
	return append(found, scan(t, markers, r.dir, r.log.Name())...)
}

// marked puts markers into the header of a mail.
func marked(mail string) string {
	id := messageID.ReplaceAllString(mail, "Message-ID: <"+markID+"@client.invalid>")
	id = strings.Replace(id, "a subject nobody should see", markSubject, 1)
	return "User-Agent: " + markAgent + "\r\nX-Originating-IP: " + clientIP + "\r\nReceived: from " + markHost +
		" (" + clientIP + ") by x; Mon, 23 Nov 2026 14:00:00 +0000\r\n" + id
}

func useSMTP(t *testing.T, r *relay, mail string) {
	t.Helper()
	alice, bob := r.Accounts[0], r.Accounts[1]
	c := r.smtp(t, alice)
	if err := send(c, alice.Address, bob.Address, marked(mail)); err != nil {
		t.Fatal(err)
	}
	large := marked(mail) + strings.Repeat("\r\n", 100_000)
	if err := send(c, alice.Address, bob.Address, strings.Replace(large, markID, markID+"2", 1)); err != nil {
		t.Fatal(err)
	}
	clear := "From: " + alice.Address + "\r\nTo: " + bob.Address + "\r\nSubject: " + markSubject + "\r\n\r\n" + markText + "\r\n"
	if send(c, alice.Address, bob.Address, clear) == nil {
		t.Error("cleartext was accepted")
	}
	if send(c, alice.Address, markUser+"@"+r.Domain, marked(mail)) == nil {
		t.Error("mail for nobody was accepted")
	}
	if c, err := smtp.DialTLS(r.SMTPS, r.tls(t)); err == nil {
		defer c.Close()
		_ = c.Auth(failingLogin{}) // refused, and logged somehow
	}
}

// failingLogin is AUTH PLAIN with a marker for a user and a password.
type failingLogin struct{}

func (failingLogin) Start() (string, []byte, error) {
	return "PLAIN", []byte("\x00" + markUser + "\x00" + markUser), nil
}
func (failingLogin) Next([]byte) ([]byte, error) { return nil, nil }

func useMX(t *testing.T, r *relay, mail string) {
	t.Helper()
	bob := r.Accounts[1]
	c := smtp.NewClient(dial(t, r.MX))
	defer c.Close()
	if err := c.Hello(markHost + ".example"); err != nil {
		t.Fatal(err)
	}
	stranger := markName + "@elsewhere.example"
	foreign := strings.Replace(marked(mail), "From: "+r.Accounts[0].Address, "From: "+markName+" <"+stranger+">", 1)
	if err := send(c, stranger, bob.Address, foreign); err != nil {
		t.Fatal(err)
	}
}

func useIMAP(t *testing.T, r *relay, mail string) {
	t.Helper()
	c := r.imap(t, r.Accounts[1])
	if err := c.Create(markFolder, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	w := c.Append(markFolder, int64(len(mail)), &imap.AppendOptions{Flags: []imap.Flag{markKeyword}})
	if _, err := w.Write([]byte(mail)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(); err != nil {
		t.Fatal(err)
	}
	selected, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if selected.NumMessages != 3 {
		t.Errorf("INBOX has %d messages, want 3", selected.NumMessages)
	}
	if _, err := c.Search(&imap.SearchCriteria{Body: []string{markText}}, nil).Wait(); err != nil {
		t.Error(err)
	}
	if err := c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, markKeyword}}, nil).Close(); err != nil {
		t.Error(err)
	}
	if err := c.Expunge().Close(); err != nil {
		t.Error(err)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Error(err)
	}
}

// scan looks for the markers, as they are and in base64, in files and in all
// files of folders.
func scan(t *testing.T, markers map[string]string, places ...string) []string {
	t.Helper()
	var found []string
	for _, place := range places {
		err := filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for name, text := range markers {
				if holds(b, text) {
					found = append(found, fmt.Sprintf("%s in %s", name, filepath.Base(path)))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func holds(b []byte, text string) bool {
	if bytes.Contains(bytes.ToLower(b), bytes.ToLower([]byte(text))) {
		return true
	}
	for shift := range 3 { // the three ways base64 can cut it
		coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		if inner := coded[4 : len(coded)-4]; len(inner) >= 8 && bytes.Contains(b, []byte(inner)) {
			return true
		}
	}
	return false
}

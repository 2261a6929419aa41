//go:build e2e

package e2e

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/restante/restante/gateway/deltachat"
	"github.com/restante/restante/pgp"
)

// TestKeyOfDeltaChatBackup: the key in a backup that Delta Chat has written serves one
// person in three programs: Delta Chat, gpg and the gateway read the same mail. A backup
// under a passphrase is told from that.
func TestKeyOfDeltaChatBackup(t *testing.T) {
	t.Parallel()
	r := start(t, "--accounts", "3")
	anna, bobs := r.Accounts[0], r.Accounts[1]
	annas, g := newGnuPG(t, []account{anna}), newGnuPG(t, nil)
	c := newCore(t)
	bob, carol := c.device(r, bobs), c.device(r, r.Accounts[2])
	bob.call(nil, "set_config", bob.id, "bcc_self", "1") // there are other devices: mail stays at the relay
	bob.join(carol)

	_, err := keyOf(t, bob.backup("secret"))
	if !errors.Is(err, deltachat.ErrPassphrase) {
		t.Errorf("an encrypted backup: got %v, want %v", err, deltachat.ErrPassphrase)
	}
	key, err := keyOf(t, bob.backup(nil))
	must(t, err)
	exported, err := key.Armor(nil)
	must(t, err)
	file := write(t, t.TempDir(), "bob.asc", string(exported))
	run(t, "", g.env, "gpg", "--batch", "--quiet", "--import", file)

	public := write(t, t.TempDir(), "public.asc", string(key.Cert().Armor()))
	run(t, "", annas.env, "gpg", "--batch", "--quiet", "--import", public)

	const text = "One mail for three programs"
	cert := run(t, "", annas.env, "gpg", "--batch", "--export", "--export-options", "export-minimal", anna.Address)
	mail := "Autocrypt: addr=" + anna.Address + "; keydata=" + base64.StdEncoding.EncodeToString([]byte(cert)) + "\r\n" + // Delta Chat shows no mail of signers it can't know
		annas.discreet(t, anna, bobs, text)
	must(t, r.smtp(t, anna).SendMail(anna.Address, []string{bobs.Address}, strings.NewReader(mail)))
	bob.receiveText(text)
	box, err := r.imap(t, bobs).Select("INBOX", nil).Wait()
	must(t, err)
	if got := r.awaitGPG(t, g, bobs, box.NumMessages).text; !strings.Contains(got, text) {
		t.Errorf("gpg reads %q, want %q in it", got, text)
	}
	r.gatewayUserWith(t, bobs, key).await("Requests", text) // to the gateway Anna is a stranger
}

// keyOf takes the key out of a backup.
func keyOf(t *testing.T, backup string) (*pgp.Key, error) {
	t.Helper()
	f, err := os.Open(backup)
	must(t, err)
	defer f.Close()
	secret, err := deltachat.SecretKey(t.Context(), f)
	if err != nil {
		return nil, err
	}
	return pgp.ParseKey(secret, nil)
}

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDKIM: mail that dkimpy signed and swaks brings is taken in every form and by
// both kinds of keys; with SHA-1, changed on its way, signed for another domain, or
// not signed, it is refused with the code that says so (RFC 7372, 3.1).
func TestDKIM(t *testing.T) {
	t.Parallel()
	need(t, "swaks", "swaks")
	need(t, "dkimsign", "python3-dkim python3-nacl python3-dnspython")
	c := newCountry(t)
	town := c.found(t, "here.test", "")
	alice, bob := town.citizen(t, "alice"), town.citizen(t, "bob")
	g := newGnuPG(t, []account{alice, bob})
	mail := strings.ReplaceAll(g.mail(t, alice, bob, "from outside"), "From: "+alice.Address, "From: zoe@there.test")

	keys := t.TempDir()
	for kind, selector := range map[string]string{"rsa": "r1", "ed25519": "e1"} {
		run(t, "", nil, "dknewkey", "--ktype", kind, filepath.Join(keys, selector))
		record, err := os.ReadFile(filepath.Join(keys, selector+".dns"))
		if err != nil {
			t.Fatal(err)
		}
		c.dns.Load(t, fmt.Sprintf("%s._domainkey.there.test. 60 TXT %s\n", selector, quotedStrings(strings.TrimSpace(string(record)))))
	}
	sign := func(selector, algorithm, header, body, domain string) string {
		return run(t, mail, nil, "dkimsign", "--signalg", algorithm, "--hcanon", header, "--bcanon", body, selector, domain, filepath.Join(keys, selector+".key"))
	}
	taken := 0
	bring := func(name, mail, want string) {
		t.Helper()
		file := write(t, t.TempDir(), "mail.eml", mail)
		out, err := try(t, "", nil, "swaks", "--server", fmt.Sprintf("%s:%d", town.mx, c.smtp), "--from", "bounces@list.test", "--to", bob.Address, "--data", "@"+file)
		if (err == nil) != (want == "250 2.0.0") || !strings.Contains(out, want) {
			t.Errorf("%s: want %s in\n%s", name, want, out)
		}
		if err == nil {
			taken++
		}
	}
	for _, form := range [][2]string{{"relaxed", "relaxed"}, {"relaxed", "simple"}, {"simple", "relaxed"}, {"simple", "simple"}} {
		bring("RSA "+form[0]+"/"+form[1], sign("r1", "rsa-sha256", form[0], form[1], "there.test"), "250 2.0.0")
		bring("Ed25519 "+form[0]+"/"+form[1], sign("e1", "ed25519-sha256", form[0], form[1], "there.test"), "250 2.0.0")
	}
	good := sign("r1", "rsa-sha256", "relaxed", "relaxed", "there.test")
	bring("SHA-1", sign("r1", "rsa-sha1", "relaxed", "relaxed", "there.test"), "550 5.7.22")
	bring("not signed", mail, "550 5.7.22")
	bring("signed for another domain", sign("r1", "rsa-sha256", "relaxed", "relaxed", "list.test"), "550 5.7.22")
	bring("changed", strings.Replace(sign("r1", "rsa-sha256", "relaxed", "simple", "there.test"), "\nVersion: 1", "\nVersion:  1", 1), "550 5.7.22")
	bring("author changed", strings.Replace(good, "From: zoe@", "From: eve@", 1), "550 5.7.22")

	// They are one message to the store, for which a repeated delivery is harmless.
	n := inboxSize(t, town.relay, bob)
	if taken != 8 || n != 1 || !strings.Contains(g.decrypt(t, firstMail(t, town.relay, bob)), "from outside") {
		t.Errorf("%d were taken, and there are %d", taken, n)
	}
	for _, word := range []string{"there.test", "zoe", "list.test", "_domainkey"} {
		if strings.Contains(town.output(), word) {
			t.Errorf("the log has %q in it:\n%s", word, town.output())
		}
	}
}

// quotedStrings makes the strings of a TXT record, none of which is too long.
func quotedStrings(s string) string {
	var out []string
	for len(s) > 0 {
		n := min(len(s), 200)
		out = append(out, `"`+s[:n]+`"`)
		s = s[n:]
	}
	return strings.Join(out, " ")
}

package mailbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// bySCRAM logs in with another implementation's client.
func (w *world) bySCRAM(t *testing.T, user, secret string) (*mailbox.Session, error) {
	t.Helper()
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil {
		t.Fatal(err)
	}
	c, x := client.NewConversation(), w.SCRAM(mailbox.SCRAMOptions{})
	message, err := c.Step("")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := x.First(t.Context(), []byte(message))
	if err != nil {
		return nil, err
	}
	if message, err = c.Step(string(answer)); err != nil {
		t.Fatal(err)
	}
	if answer, err = x.Final(t.Context(), []byte(message)); err != nil {
		if _, err := x.Open(t.Context()); !errors.Is(err, mailbox.ErrAuth) {
			t.Errorf("opened without a proof: %v", err)
		}
		return nil, err
	}
	if _, err := c.Step(string(answer)); err != nil || !c.Valid() {
		t.Errorf("the client does not believe the server: %v", err)
	}
	return x.Open(t.Context())
}

func TestSCRAMMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, generated := w.owner(t, "generated@example.org")
	w.deliver(t, message("for whoever proves it", 0), "generated@example.org")
	device, err := x.AddDevice(t.Context(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	if _, err := w.CreateAccount(t.Context(), addr.MustParse("chosen@example.org"), mailbox.NewAccountOptions{Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	disabled := w.account(t, "disabled@example.org")
	if err := w.SetState(t.Context(), disabled.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	other := seal.NewSecret().Reveal()
	for _, tt := range []struct {
		name, user, secret string
		want               error
		manages            bool
	}{
		{name: "generated", user: "GENERATED@example.org", secret: generated.Secret, manages: true},
		{name: "local part", user: "generated", secret: generated.Secret, manages: true},
		{name: "device", user: "generated", secret: device},
		{name: "another secret", user: "generated", secret: other, want: mailbox.ErrAuth},
		{name: "recovery code", user: "generated", secret: generated.Recovery, want: mailbox.ErrAuth},
		{name: "chosen password", user: "chosen", secret: "correct horse", want: mailbox.ErrAuth},
		{name: "disabled", user: "disabled", secret: disabled.Secret, want: mailbox.ErrDisabled},
		{name: "disabled with a wrong secret", user: "disabled", secret: other, want: mailbox.ErrAuth},
		{name: "unknown", user: "nobody", secret: generated.Secret, want: mailbox.ErrAuth},
		{name: "no address at all", user: "<>", secret: generated.Secret, want: mailbox.ErrAuth},
	} {
		x, err := w.bySCRAM(t, tt.user, tt.secret)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if got := texts(t, x, mailbox.Inbox); len(got) != 1 || !strings.Contains(got[1], "for whoever proves it") || x.Manages() != tt.manages {
			t.Errorf("%s: reads %v, manages %v", tt.name, got, x.Manages())
		}
		x.Close()
	}
}

// TestSCRAMSalt: every address has a salt of its own that stays the same, so that
// it does not tell which ones there are.
func TestSCRAMSalt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(t, "generated@example.org")
	if _, err := w.CreateAccount(t.Context(), addr.MustParse("chosen@example.org"), mailbox.NewAccountOptions{Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	salts := map[string]string{}
	for _, user := range []string{"generated", "chosen", "nobody", "nobody2", "<>"} {
		for _, spelling := range []string{user, strings.ToUpper(user) + "@EXAMPLE.org"} {
			answer, err := w.SCRAM(mailbox.SCRAMOptions{}).First(t.Context(), fmt.Appendf(nil, "n,,n=%s,r=x", spelling))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(answer), ",")
			if user != "<>" && salts[user] != "" && salts[user] != rest {
				t.Errorf("%s has two salts: %s and %s", user, salts[user], rest)
			}
			salts[user] = rest
		}
	}
	seen := map[string]string{}
	for user, salt := range salts {
		if len(salt) != len(salts["generated"]) || seen[salt] != "" {
			t.Errorf("%s has %s, like %q", user, salt, seen[salt])
		}
		seen[salt] = user
	}
}

// TestSCRAMGoesWithItsSecret: a secret that was replaced or revoked opens nothing
// by SCRAM either, and the others go on.
func TestSCRAMGoesWithItsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone, err := x.AddDevice(t.Context(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	tablet, err := x.AddDevice(t.Context(), "tablet")
	if err != nil {
		t.Fatal(err)
	}
	open := func(secret string, want error) *mailbox.Session {
		t.Helper()
		s, err := w.bySCRAM(t, "b", secret)
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		return s
	}
	onPhone, main := open(phone, nil), open(c.Secret, nil)
	for _, d := range labels(t, x) {
		if d.Label == "phone" {
			if err := x.RevokeDevice(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-onPhone.Revoked()
	open(phone, mailbox.ErrAuth)
	next, err := w.SetPassword(t.Context(), c.Account, c.Secret, "")
	if err != nil {
		t.Fatal(err)
	}
	<-main.Revoked()
	open(c.Secret, mailbox.ErrAuth)
	open(next, nil).Close()
	open(tablet, nil).Close()
	if _, err := w.SetPassword(t.Context(), c.Account, next, "correct horse"); err != nil {
		t.Fatal(err)
	}
	open(next, mailbox.ErrAuth)
	open("correct horse", mailbox.ErrAuth)
	open(tablet, nil).Close()
	rows, err := w.store.Credentials(t.Context(), c.Account)
	if err != nil {
		t.Fatal(err)
	}
	count := map[mailbox.CredentialKind]int{}
	for _, r := range rows {
		count[r.Kind]++
	}
	if count[mailbox.SCRAMSecret] != 1 || count[mailbox.DeviceSecret] != 1 {
		t.Errorf("rows by kind: %v", count)
	}
}

// TestSCRAMIsDelayed: guessing is as slow by SCRAM as by other ways.
func TestSCRAMIsDelayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(t, "b@example.org")
	for range 5 {
		if _, err := w.bySCRAM(t, "b", "wrong"); !errors.Is(err, mailbox.ErrAuth) {
			t.Fatalf("got %v", err)
		}
	}
	if got := fmt.Sprint(w.clock.waited()); got != fmt.Sprint([]time.Duration{500 * time.Millisecond, time.Second}) {
		t.Errorf("waited %s", got)
	}
}

// TestSCRAMRowsOfOthers: a row that somebody has moved to another account opens
// nothing there.
func TestSCRAMRowsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	victim, thief := w.account(t, "victim@example.org"), w.account(t, "thief@example.org")
	w.sql(t, fmt.Sprintf("DELETE FROM credential WHERE account_id = %d AND kind IN (%d, %d)", victim.Account, mailbox.MainSecret, mailbox.SCRAMSecret),
		fmt.Sprintf("UPDATE credential SET account_id = %d WHERE account_id = %d AND kind IN (%d, %d)", victim.Account, thief.Account, mailbox.MainSecret, mailbox.SCRAMSecret))
	if _, err := w.bySCRAM(t, "victim", thief.Secret); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

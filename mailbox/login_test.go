package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

func TestLoginMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	generated := w.account(t, "generated@example.org")
	chosen, err := w.CreateAccount(t.Context(), addr.MustParse("chosen@example.org"), mailbox.NewAccountOptions{Password: "correct hörse battery"})
	if err != nil {
		t.Fatal(err)
	}
	disabled := w.account(t, "disabled@example.org")
	if err := w.SetState(t.Context(), disabled.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	foreign := w.account(t, "generated@example.net")
	other := seal.NewSecret().Reveal()
	mistyped := []byte(generated.Secret)
	mistyped[10] ^= 1
	tests := []struct {
		name, user, secret string
		want               error
	}{
		{"generated", "generated@example.org", generated.Secret, nil},
		{"generated, typed in capitals with spaces", "GENERATED@Example.ORG", strings.ToUpper(strings.ReplaceAll(generated.Secret, "-", " ")), nil},
		{"local part", "generated", generated.Secret, nil},
		{"another domain", "generated@example.net", foreign.Secret, nil},
		{"secret of the same name elsewhere", "generated", foreign.Secret, mailbox.ErrAuth},
		{"another secret", "generated", other, mailbox.ErrAuth},
		{"mistyped secret", "generated", string(mistyped), mailbox.ErrAuth},
		{"password for a secret", "generated", "correct hörse battery", mailbox.ErrAuth},
		{"empty", "generated", "", mailbox.ErrAuth},
		{"recovery code", "generated", generated.Recovery, mailbox.ErrAuth},
		{"chosen", "chosen", "correct hörse battery", nil},
		{"chosen, decomposed", "chosen", "correct ho\u0308rse\u00a0battery", nil},
		{"chosen, other case", "chosen", "Correct hörse battery", mailbox.ErrAuth},
		{"secret for a password", "chosen", generated.Secret, mailbox.ErrAuth},
		{"recovery code of a password", "chosen", chosen.Recovery, mailbox.ErrAuth},
		{"disabled", "disabled", disabled.Secret, mailbox.ErrDisabled},
		{"disabled with a wrong secret", "disabled", other, mailbox.ErrAuth},
		{"unknown with a secret", "nobody", generated.Secret, mailbox.ErrAuth},
		{"unknown with a password", "nobody", "correct hörse battery", mailbox.ErrAuth},
		{"no address at all", "<>\x00", generated.Secret, mailbox.ErrAuth},
		{"empty user", "", generated.Secret, mailbox.ErrAuth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, err := w.Login(t.Context(), mailbox.Login{User: tt.user, Secret: tt.secret})
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil {
				x.Close()
			}
		})
	}
}

// failing tries to log in with a wrong password and returns how long it was kept
// waiting.
func (w *world) failing(t *testing.T, user, secret string, peer mailbox.Peer) []time.Duration {
	t.Helper()
	if _, err := w.Login(t.Context(), mailbox.Login{User: user, Secret: secret, Peer: peer}); !errors.Is(err, mailbox.ErrAuth) {
		t.Fatalf("login: %v, want ErrAuth", err)
	}
	return w.clock.waited()
}

func TestThrottleDelaysGuessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.CreateAccount(t.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	for range 10 {
		waits = append(waits, w.failing(t, "b", "wrong", "")...)
	}
	const s = time.Second
	if diff := cmp.Diff([]time.Duration{s / 2, 1 * s, 2 * s, 4 * s, 8 * s, 15 * s, 15 * s}, waits); diff != "" {
		t.Error(diff)
	}
	// The right password is delayed with the others, and never refused; the
	// next try finds the count cleared.
	w.login(t, c).Close()
	if got := w.clock.waited(); !slices.Equal(got, []time.Duration{15 * s}) {
		t.Errorf("right password waited %v", got)
	}
	if got := w.failing(t, "b", "wrong", ""); got != nil {
		t.Errorf("after a success, a failure waits %v", got)
	}
}

func TestThrottleKeepsCredentialsApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.account(t, "b@example.org")
	for range 10 {
		w.failing(t, "b", "a guess", "")
	}
	w.login(t, c)
	if got := w.clock.waited(); got != nil {
		t.Errorf("the generated secret waited %v for guesses at a password", got)
	}
	w.account(t, "c@example.org")
	if got := w.failing(t, "c", "a guess", ""); got != nil {
		t.Errorf("another account waited %v", got)
	}
}

func TestThrottleForgives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 6 {
		w.failing(t, "b", "a guess", "")
	}
	w.clock.advance(2 * time.Minute)
	if got, want := w.failing(t, "b", "a guess", ""), 1*time.Second; len(got) != 1 || got[0] != want {
		t.Errorf("after two minutes: waited %v, want %v", got, want)
	}
	w.clock.advance(time.Hour)
	if got := w.failing(t, "b", "a guess", ""); got != nil {
		t.Errorf("after an hour: waited %v", got)
	}
}

func TestThrottleNetworks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 10 {
		if got := w.failing(t, fmt.Sprintf("user%d", i), "guess", "here"); got != nil {
			t.Fatalf("try %d waited %v", i, got)
		}
	}
	if got := w.failing(t, "user10", "guess", "here"); len(got) != 1 {
		t.Errorf("the eleventh account tried from one network waited %v", got)
	}
	if got := w.failing(t, "user11", "guess", "there"); got != nil {
		t.Errorf("another network waited %v", got)
	}
	if got := w.failing(t, "user12", "guess", ""); got != nil {
		t.Errorf("a shared network waited %v", got)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *mailbox.Options) { o.Limits.Throttled = 100 })
	secret := seal.NewSecret().Reveal()
	for i := range 10_000 {
		_, err := w.Login(t.Context(), mailbox.Login{User: fmt.Sprint("u", i), Secret: secret, Peer: mailbox.Peer(fmt.Sprint(i))})
		if !errors.Is(err, mailbox.ErrAuth) {
			t.Fatal(err)
		}
	}
	if got := w.TestOnlyThrottled(); got > 100 {
		t.Errorf("%d keys are remembered", got)
	}
}

func TestThrottledCrowdIsTurnedAway(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	w := newWorld(t, func(o *mailbox.Options) {
		o.Wait = func(ctx context.Context, _ time.Duration) error {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
	})
	secret := seal.NewSecret().Reveal()
	for range 3 {
		w.failing(t, "b", secret, "")
	}
	crowd := make(chan error, 200)
	for range cap(crowd) {
		go func() {
			_, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: secret})
			crowd <- err
		}()
	}
	for range 100 {
		if err := <-crowd; !errors.Is(err, mailbox.ErrThrottled) {
			t.Fatalf("one too many: %v, want ErrThrottled", err)
		}
	}
	close(hold)
	for range 100 {
		if err := <-crowd; !errors.Is(err, mailbox.ErrAuth) {
			t.Errorf("one that waited: %v, want ErrAuth", err)
		}
	}
}

// TestUnknownAccountsCostTheSame: a login that has no credential to check takes its
// place among the password checks all the same.
func TestUnknownAccountsCostTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *mailbox.Options) { o.Limits.PasswordRuns, o.Limits.PasswordQueue = 1, 1 })
	w.account(t, "generated@example.org")
	for _, user := range []string{"nobody", "generated", "no address\x00"} {
		release := w.TestOnlyHoldPasswords()
		try := func(result chan<- error) {
			_, err := w.Login(t.Context(), mailbox.Login{User: user, Secret: "a guess"})
			result <- err
		}
		queued, refused := make(chan error, 1), make(chan error, 1)
		go try(queued)
		until(t, func() bool { return w.TestOnlyPasswordsWaiting() == 1 })
		try(refused)
		if err := <-refused; !errors.Is(err, mailbox.ErrBusy) {
			t.Errorf("%q: beyond the queue: %v, want ErrBusy", user, err)
		}
		release()
		if err := <-queued; !errors.Is(err, mailbox.ErrAuth) {
			t.Errorf("%q: %v, want ErrAuth", user, err)
		}
	}
}

func TestLoginAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.CreateAccount(t.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	first := w.login(t, c)
	release := w.TestOnlyHoldPasswords()
	defer release()
	second := w.login(t, c) // would wait for ever if the password were stretched again
	first.Close()
	second.Close()
	w.clock.advance(29 * time.Second)
	w.TestOnlySweep(t.Context())
	w.login(t, c).Close()
	if owners, logins, _ := w.TestOnlyOpen(); owners != 1 || logins != 1 {
		t.Errorf("%d accounts and %d logins are remembered, want 1 and 1", owners, logins)
	}
	w.clock.advance(30 * time.Second)
	w.TestOnlySweep(t.Context())
	if owners, logins, _ := w.TestOnlyOpen(); owners != 0 || logins != 0 {
		t.Errorf("%d accounts and %d logins are remembered after 30 s", owners, logins)
	}
}

func TestLoginAgainAfterChange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(t *testing.T, w *world, c mailbox.Created)
		want   error
	}{
		{"new password", func(t *testing.T, w *world, c mailbox.Created) {
			if _, err := w.SetPassword(t.Context(), c.Account, c.Secret, "new"); err != nil {
				t.Fatal(err)
			}
		}, mailbox.ErrAuth},
		{"reset", func(t *testing.T, w *world, c mailbox.Created) {
			if _, _, err := w.ResetAccount(t.Context(), c.Account, ""); err != nil {
				t.Fatal(err)
			}
		}, mailbox.ErrAuth},
		{"disabled", func(t *testing.T, w *world, c mailbox.Created) {
			if err := w.SetState(t.Context(), c.Account, mailbox.Disabled); err != nil {
				t.Fatal(err)
			}
		}, mailbox.ErrDisabled},
		{"removed", func(t *testing.T, w *world, c mailbox.Created) {
			if err := w.RemoveAccount(t.Context(), c.Account); err != nil {
				t.Fatal(err)
			}
		}, mailbox.ErrAuth},
	}
	for _, tt := range tests {
		for _, elsewhere := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, elsewhere %v", tt.name, elsewhere), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				c := w.account(t, "b@example.org")
				changer := w
				if elsewhere {
					changer = &world{Service: w.newService(t), store: w.store}
					defer changer.Service.Close()
				}
				x := w.login(t, c)
				tt.change(t, changer, c)
				_, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
				if !errors.Is(err, tt.want) {
					t.Errorf("login with the old secret: %v, want %v", err, tt.want)
				}
				if elsewhere {
					w.clock.advance(5 * time.Second)
					w.TestOnlySweep(t.Context())
				}
				select {
				case <-x.Revoked():
				default:
					t.Error("the session was not revoked")
				}
				if _, err := x.Folders(t.Context()); !errors.Is(err, mailbox.ErrClosed) {
					t.Errorf("the session still works: %v", err)
				}
			})
		}
	}
}

func TestOtherSessionsOutliveAPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, c := w.owner(t, "b@example.org")
	other, _ := w.owner(t, "c@example.org")
	secret, err := w.SetPassword(t.Context(), c.Account, c.Secret, "")
	if err != nil {
		t.Fatal(err)
	}
	<-b.Revoked()
	c.Secret = secret
	x := w.login(t, c)
	w.clock.advance(time.Minute)
	w.TestOnlySweep(t.Context())
	for _, x := range []*mailbox.Session{other, x} {
		if _, err := x.Folders(t.Context()); err != nil {
			t.Errorf("a session that nobody revoked: %v", err)
		}
	}
}

func TestServiceClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	if err := w.Service.Close(); err != nil {
		t.Fatal(err)
	}
	<-x.Revoked()
	_, login := w.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
	_, receive := w.Receive(t.Context(), strings.NewReader(""), mailbox.ReceiveOptions{})
	_, recipient := w.Recipient(t.Context(), c.Address, 0)
	for _, err := range []error{login, receive, recipient} {
		if !errors.Is(err, mailbox.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	}
	x.Close()
}

func TestNotify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	w.account(t, "c@example.org")
	hints := make(chan struct{}, 10)
	stop := x.Notify(func() { hints <- struct{}{} })
	w.deliver(t, message("for-c", 0), "c@example.org")
	w.deliver(t, message("for-b", 0), "b@example.org")
	<-hints
	stop()
	w.deliver(t, message("again", 0), "b@example.org")
	if got := len(hints); got != 0 {
		t.Errorf("%d hints too many", got)
	}
}

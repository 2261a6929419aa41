package mailbox_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// signingUp lets addresses that begin with "new" be made at the first login, and
// counts how often it was asked.
func signingUp(asked *atomic.Int64) func(*mailbox.Options) {
	return func(o *mailbox.Options) {
		o.SignUp = func(f mailbox.FirstLogin) error {
			asked.Add(1)
			switch {
			case strings.HasPrefix(f.Address.Local(), "new"):
				return nil
			case f.Peer == "busy network":
				return mailbox.ErrThrottled
			}
			return mailbox.ErrAuth
		}
	}
}

func TestFirstLogin(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	w := newWorld(t, signingUp(&asked))
	w.account(t, "there@example.org")
	tests := []struct {
		name  string
		login mailbox.Login
		want  error
		asks  int64
	}{
		{"allowed", mailbox.Login{User: "new1@example.org", Secret: "a long password"}, nil, 1},
		{"again", mailbox.Login{User: "NEW1@example.org", Secret: "a long password"}, nil, 0},
		{"another password", mailbox.Login{User: "new1@example.org", Secret: "another password"}, mailbox.ErrAuth, 0},
		{"an account of before", mailbox.Login{User: "there@example.org", Secret: "a long password"}, mailbox.ErrAuth, 0},
		{"a name that is refused", mailbox.Login{User: "other@example.org", Secret: "a long password"}, mailbox.ErrAuth, 1},
		{"too many", mailbox.Login{User: "other@example.org", Secret: "a long password", Peer: "busy network"}, mailbox.ErrThrottled, 1},
		{"a generated secret", mailbox.Login{User: "new2@example.org", Secret: seal.NewSecret().Reveal()}, mailbox.ErrAuth, 0},
		{"must be known", mailbox.Login{User: "new3@example.org", Secret: "a long password", Known: true}, mailbox.ErrAuth, 0},
		{"no address", mailbox.Login{User: "<>", Secret: "a long password"}, mailbox.ErrAuth, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := asked.Load()
			x, err := w.Login(t.Context(), tt.login)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil {
				x.Close()
			}
			if got := asked.Load() - before; got != tt.asks {
				t.Errorf("SignUp was asked %d times, want %d", got, tt.asks)
			}
		})
	}
}

func TestFirstLoginManagesTheAccount(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	w := newWorld(t, signingUp(&asked))
	x, err := w.Login(t.Context(), mailbox.Login{User: "new@example.org", Secret: "a long password"})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	folders, err := x.Folders(t.Context())
	if err != nil || len(folders) != 1+len(mailbox.DefaultFolders()) {
		t.Errorf("%d folders, %v", len(folders), err)
	}
	if _, err := x.NewRecoveryCode(t.Context()); err != nil {
		t.Errorf("recovery code: %v", err)
	}
}

// TestFirstLoginsAtOnce: Delta Chat logs in by IMAP and SMTP at the same moment, and
// the two may reach different nodes.
func TestFirstLoginsAtOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	w := newWorld(t, signingUp(&asked))
	other := w.newService(t, signingUp(&asked))
	defer other.Close()
	ids := make(chan mailbox.AccountID, 8)
	var logins sync.WaitGroup
	for i := range cap(ids) {
		service := w.Service
		if i%2 == 1 {
			service = other
		}
		logins.Go(func() {
			x, err := service.Login(t.Context(), mailbox.Login{User: "new@example.org", Secret: "a long password"})
			if err != nil {
				t.Error(err)
				return
			}
			ids <- x.Account()
			x.Close()
		})
	}
	logins.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("accounts %v and %v for one address", id, first)
		}
	}
	if got := asked.Load(); got < 1 || got > 2 {
		t.Errorf("SignUp was asked %d times on two nodes", got)
	}
}

func TestFirstLoginsOfTwoPeople(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	w := newWorld(t, signingUp(&asked))
	var made atomic.Int64
	var logins sync.WaitGroup
	for _, password := range []string{"the password of one", "the password of another"} {
		logins.Go(func() {
			x, err := w.Login(t.Context(), mailbox.Login{User: "new@example.org", Secret: password})
			if err == nil {
				made.Add(1)
				x.Close()
			} else if !errors.Is(err, mailbox.ErrAuth) {
				t.Error(err)
			}
		})
	}
	logins.Wait()
	if got := made.Load(); got != 1 {
		t.Errorf("%d people have the account, want 1", got)
	}
}

package mailbox_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// spaceWorld is a world whose disk the test fills.
type spaceWorld struct {
	*world
	percent atomic.Int64
}

func newSpaceWorld(t *testing.T, change ...func(*mailbox.Options)) *spaceWorld {
	t.Helper()
	s := &spaceWorld{}
	s.percent.Store(50)
	s.world = newWorld(t, append(change, func(o *mailbox.Options) {
		o.Space = func(context.Context) (mailbox.Space, error) {
			return mailbox.Space{Free: s.percent.Load(), Size: 100}, nil
		}
		o.SignUp = func(mailbox.FirstLogin) error { return nil }
	})...)
	return s
}

// free sets how much of the disk is free, and has the service look.
func (s *spaceWorld) free(t *testing.T, percent int64) {
	t.Helper()
	s.percent.Store(percent)
	s.clock.advance(time.Minute)
	s.TestOnlySweep(t.Context())
}

// outcomes tries what a relay without room refuses.
func (s *spaceWorld) outcomes(t *testing.T, x *mailbox.Session) map[string]error {
	t.Helper()
	m, received := s.Receive(t.Context(), strings.NewReader(message("x", 100)), mailbox.ReceiveOptions{})
	if received == nil {
		m.Close()
	}
	_, named := s.Recipient(t.Context(), addr.MustParse("a@example.org"), 100)
	_, copied := x.Copy(t.Context(), mailbox.CopyRequest{From: mailbox.Inbox, To: 2, Set: mailbox.AllUIDs()})
	_, made := s.CreateAccount(t.Context(), addr.MustParse(addr.NewLocal(nil)+"@example.org"), mailbox.NewAccountOptions{})
	_, first := s.Login(t.Context(), mailbox.Login{User: addr.NewLocal(nil) + "@example.org", Secret: "a chosen password"})
	return map[string]error{"receive": received, "recipient": named, "copy": copied, "sign up": made, "first login": first}
}

// TestSpace: what a relay refuses at each level, and that it comes back unaided.
func TestSpace(t *testing.T) {
	t.Parallel()
	s := newSpaceWorld(t)
	x, _ := s.owner(t, "a@example.org")
	s.deliver(t, message("x", 100), "a@example.org")
	signups, mail := []string{"sign up", "first login"}, []string{"receive", "recipient", "copy"}
	for _, step := range []struct {
		percent int64
		refused []string
	}{
		{10, nil},
		{9, signups},
		{10, signups}, // not at once
		{5, signups},
		{4, append(mail, signups...)},
		{5, append(mail, signups...)},
		{6, signups},
		{4, append(mail, signups...)},
		{11, nil},
	} {
		s.free(t, step.percent)
		for what, err := range s.outcomes(t, x) {
			want := false
			for _, r := range step.refused {
				want = want || r == what
			}
			if errors.Is(err, mailbox.ErrFull) != want || err != nil && !want {
				t.Errorf("at %d %%, %s: got error %v, want ErrFull: %v", step.percent, what, err, want)
			}
		}
	}
}

// TestSpaceSpent: without room, people log in, read, move to Trash and delete, the queue
// empties, with reports to its senders, and the operator makes accounts.
func TestSpaceSpent(t *testing.T) {
	t.Parallel()
	s := newSpaceWorld(t)
	_, c := s.owner(t, "a@example.org")
	s.deliver(t, message("one", 100), "a@example.org")
	s.deliver(t, message("two", 100), "a@example.org")
	to := sending("x@one.example", "x@two.example")
	if err := s.Dispatch(t.Context(), c.Address, nil, to, s.receive(t, message("away", 0))); err != nil {
		t.Fatal(err)
	}
	s.free(t, 1)
	x := s.login(t, c)
	if got := texts(t, x, mailbox.Inbox); len(got) != 2 {
		t.Errorf("%d messages can be read, want 2", len(got))
	}
	letters, leases := s.take(t)
	if err := s.Outbox().Finish(t.Context(), leases["one.example"], letters["one.example"]); err != nil {
		t.Errorf("a letter that was delivered: %v", err)
	}
	report := []byte(message("report", 0))
	if err := s.Outbox().Finish(t.Context(), leases["two.example"], letters["two.example"], report); err != nil {
		t.Errorf("a letter that was refused: %v", err)
	}
	if w, err := s.Outbox().Waiting(t.Context()); err != nil || w.Jobs != 0 {
		t.Errorf("%d letters wait, error %v", w.Jobs, err)
	}
	one := []mailbox.UIDRange{{Low: 1, High: 1}}
	if _, err := x.Copy(t.Context(), mailbox.CopyRequest{From: mailbox.Inbox, To: 2, Set: one, Move: true}); err != nil {
		t.Errorf("move: %v", err)
	}
	if e, err := x.Expunge(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), true); err != nil || len(e.UIDs) != 2 { // with the report
		t.Errorf("expunge: %v, error %v", e, err)
	}
	if _, err := s.CreateAccount(t.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{ByOperator: true}); err != nil {
		t.Errorf("an account by the operator: %v", err)
	}
}

// TestSpaceTold: the postmaster is told once while it lasts, however often the level
// changes, and again the next time.
func TestSpaceTold(t *testing.T) {
	t.Parallel()
	for _, operator := range []string{"postmaster@example.org", "boss@example.org"} {
		t.Run(operator, func(t *testing.T) {
			t.Parallel()
			testSpaceTold(t, operator)
		})
	}
}

func testSpaceTold(t *testing.T, operator string) {
	t.Helper()
	s := newSpaceWorld(t, func(o *mailbox.Options) {
		if a := addr.MustParse(operator); a.Local() != "postmaster" {
			o.Operator = a
		}
	})
	x, _ := s.owner(t, operator)
	for i, step := range []struct {
		percent int64
		mails   int
	}{{9, 1}, {4, 1}, {7, 1}, {4, 1}, {50, 1}, {4, 2}, {3, 2}} {
		s.free(t, step.percent)
		got := texts(t, x, mailbox.Inbox)
		if len(got) != step.mails {
			t.Errorf("step %d: the postmaster has %d mails, want %d", i, len(got), step.mails)
		}
		for _, text := range got {
			if !strings.Contains(text, "disk is nearly full") {
				t.Errorf("the postmaster got %q", text)
			}
		}
	}
}

// TestSpaceExpires: what is overdue goes when room becomes scarce, and not an hour
// later.
func TestSpaceExpires(t *testing.T) {
	t.Parallel()
	s := newSpaceWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	service := s.newService(t, func(o *mailbox.Options) {
		o.Space = func(context.Context) (mailbox.Space, error) {
			return mailbox.Space{Free: s.percent.Load(), Size: 100}, nil
		}
		o.Terms = mailbox.Terms{Inbox: 1}
	})
	defer service.Close()
	x, _ := s.owner(t, "a@example.org")
	ended := make(chan error, 1)
	go func() { ended <- service.KeepTerms(ctx) }()
	s.deliver(t, message("x", 100), "a@example.org")
	changed := make(chan struct{}, 100)
	stop := s.store.Watch(func([]mailbox.AccountID) { changed <- struct{}{} })
	defer stop()
	s.clock.advance(2 * 24 * time.Hour)
	s.percent.Store(9)
	service.TestOnlySweep(t.Context())
	for count(t, x, mailbox.Inbox) > 0 {
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatal("overdue mail stayed")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

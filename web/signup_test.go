package web

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// newGate makes a Signup with a clock that stands still.
func newGate(t *testing.T, o SignupOptions) (*Signup, *time.Time) {
	t.Helper()
	now := noon
	o.Domain = "example.org"
	o.Now = func() time.Time { return now }
	orDefault(&o.Policy, Open)
	g, err := NewSignup(o)
	if err != nil {
		t.Fatal(err)
	}
	return g, &now
}

func TestOffersWaitLonger(t *testing.T) {
	t.Parallel()
	g, now := newGate(t, SignupOptions{Limits: SignupLimits{
		Wait: Rate{10 * time.Second, 1}, MinWait: 3 * time.Second, MaxWait: 25 * time.Second,
	}})
	type line struct {
		Wait  time.Duration
		Never bool
	}
	var got []line
	for range 5 {
		o := g.offer("")
		got = append(got, line{o.Wait, o.Never})
	}
	const s = time.Second
	want := []line{{3 * s, false}, {10 * s, false}, {20 * s, false}, {0, true}, {0, true}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	*now = now.Add(time.Minute)
	if o := g.offer(""); o.Wait != 3*s {
		t.Errorf("after a quiet minute: %v, want 3 s", o.Wait)
	}
}

func TestOfferOfOneNetwork(t *testing.T) {
	t.Parallel()
	g, _ := newGate(t, SignupOptions{})
	for range 20 {
		g.offer("a crowd")
	}
	crowd, other := g.offer("a crowd"), g.offer("another")
	if crowd.Wait < 5*time.Minute || other.Wait > 30*time.Second {
		t.Errorf("a network that asks a lot waits %v, another %v", crowd.Wait, other.Wait)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	g, now := newGate(t, SignupOptions{Limits: SignupLimits{Bits: 6}})
	o := g.offer("")
	worked := proof{o.Ticket, findWork(o.Ticket, 6)}
	lazy := proof{o.Ticket, "0"}
	for n := 1; lazy.zeroBits() >= 6; n++ {
		lazy.work = strconv.Itoa(n)
	}
	waited := proof{ticket: o.Ticket}
	begin := *now
	tests := []struct {
		name   string
		proof  proof
		after  time.Duration
		worked bool
		want   error
	}{
		{"at once", waited, 0, false, &earlyError{}},
		{"at once, with work", worked, 0, true, nil},
		{"at once, with too little work", lazy, 0, false, &earlyError{}},
		{"a second early", waited, 4 * time.Second, false, &earlyError{}},
		{"in time", waited, 5 * time.Second, false, nil},
		{"in time, with too little work", lazy, 5 * time.Second, false, nil},
		{"at the end", waited, 15*time.Minute + 4*time.Second, false, nil},
		{"too late", waited, 15*time.Minute + 5*time.Second, false, errTicketOld},
		{"too late, with work", worked, 15*time.Minute + 5*time.Second, false, errTicketOld},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			*now = begin.Add(tt.after)
			opened, err := g.tickets.open(tt.proof.ticket)
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.judge(opened, tt.proof, *now)
			var early *earlyError
			if errors.As(tt.want, &early) {
				if !errors.As(err, &early) || early.left != begin.Add(5*time.Second).Sub(*now) || early.ticket != o.Ticket {
					t.Errorf("got %v (%+v), want an early ticket", err, early)
				}
				return
			}
			if got != tt.worked || !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v, want %v, %v", got, err, tt.worked, tt.want)
			}
		})
	}
}

func TestJudgeWithoutAPlace(t *testing.T) {
	t.Parallel()
	g, now := newGate(t, SignupOptions{Limits: SignupLimits{Bits: 4, Wait: Rate{time.Hour, 1}}})
	g.offer("")
	o := g.offer("")
	if !o.Never {
		t.Fatal("there was a place")
	}
	opened, err := g.tickets.open(o.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	*now = now.Add(14 * time.Minute)
	var early *earlyError
	if _, err := g.judge(opened, proof{ticket: o.Ticket}, *now); !errors.As(err, &early) || !early.never {
		t.Errorf("waiting: %v", err)
	}
	if worked, err := g.judge(opened, proof{o.Ticket, findWork(o.Ticket, 4)}, *now); err != nil || !worked {
		t.Errorf("work: %v, %v", worked, err)
	}
}

func TestWorkGrows(t *testing.T) {
	t.Parallel()
	g, now := newGate(t, SignupOptions{Limits: SignupLimits{Bits: 2, WorkStep: 2}})
	made := func() error { return nil }
	old := g.offer("")
	for range 10 {
		o := g.offer("")
		if err := g.admit(t.Context(), application{proof: o.Ticket + ":" + findWork(o.Ticket, o.Bits)}, made); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.bits(*now); got != 7 {
		t.Errorf("after ten accounts by work: %d bits, want 7", got)
	}
	// Tickets that were hoarded before are not worth the old price: the work must
	// be above it by chance, or be done on a new ticket.
	p := proof{old.Ticket, "0"}
	for n := 1; p.zeroBits() < 2 || p.zeroBits() >= 5; n++ {
		p.work = strconv.Itoa(n)
	}
	if err := g.admit(t.Context(), application{proof: p.String()}, made); !errors.Is(err, errTicketOld) {
		t.Errorf("a ticket of before: %v, want errTicketOld", err)
	}
	*now = now.Add(time.Minute)
	if got := g.bits(*now); got != 2 {
		t.Errorf("after a quiet minute: %d bits, want 2", got)
	}
}

func TestAdmitGivesBack(t *testing.T) {
	t.Parallel()
	g, now := newGate(t, SignupOptions{})
	o := g.offer("")
	*now = now.Add(o.Wait)
	broken := errors.New("the name is taken")
	for i, want := range []error{broken, broken, nil, errTicketUsed} {
		err := g.admit(t.Context(), application{proof: o.Ticket}, func() error { return want })
		if !errors.Is(err, want) {
			t.Errorf("try %d: %v, want %v", i, err, want)
		}
	}
}

func TestAdmitFree(t *testing.T) {
	t.Parallel()
	g, now := newGate(t, SignupOptions{Limits: SignupLimits{NetworkFree: Rate{time.Hour, 2}, Free: Rate{time.Minute, 4}}})
	made := func() error { return nil }
	steps := []struct {
		peer mailbox.Peer
		want error
	}{
		{"a", nil}, {"a", nil}, {"a", mailbox.ErrThrottled}, {"b", nil}, {"", nil}, {"", mailbox.ErrThrottled}, {"c", mailbox.ErrThrottled},
	}
	for i, step := range steps {
		if err := g.admit(t.Context(), application{peer: step.peer, free: true}, made); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
	if err := g.admit(t.Context(), application{peer: "d"}, made); !errors.Is(err, errTicket) {
		t.Errorf("the page without a ticket: %v, want errTicket", err)
	}
	*now = now.Add(time.Minute)
	if err := g.FirstLogin(first("abcdefghj", "a long password")); err != nil {
		t.Errorf("first login after a minute: %v", err)
	}
	if err := g.admit(t.Context(), application{free: true}, made); !errors.Is(err, mailbox.ErrThrottled) {
		t.Errorf("first logins and /new have two budgets: %v", err)
	}
}

func first(local, password string) mailbox.FirstLogin {
	return mailbox.FirstLogin{Address: addr.MustParse(local + "@example.org"), Password: password}
}

func TestFirstLogin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy Policy
		login  mailbox.FirstLogin
		want   error
	}{
		{"as Delta Chat does", Open, first("k3xq7mzp2", "Gx7bQ2mN8vL4tR6wY1zK3p"), nil},
		{"a name of one's own", Open, first("joe.blogs", "a long password"), nil},
		{"short name", Open, first("joeblogs", "a long password"), mailbox.ErrAuth},
		{"short password", Open, first("joe.blogs", "elevenchars"), mailbox.ErrAuth},
		{"reserved", Open, first("postmaster", "a long password"), mailbox.ErrAuth},
		{"capitals", Open, first("Joe.Blogs", "a long password"), mailbox.ErrAuth},
		{"another domain", Open, mailbox.FirstLogin{Address: addr.MustParse("joe.blogs@example.net"), Password: "a long password"}, mailbox.ErrAuth},
		{"by token", Token, first("k3xq7mzp2", "a long password"), mailbox.ErrAuth},
		{"closed", Closed, first("k3xq7mzp2", "a long password"), mailbox.ErrAuth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := newGate(t, SignupOptions{})
			g.o.Policy = tt.policy
			if err := g.FirstLogin(tt.login); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestNewSignupRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		o    SignupOptions
	}{
		{"no domain", SignupOptions{Policy: Open}},
		{"no such policy", SignupOptions{Domain: "example.org", Policy: "anyone"}},
		{"token without keys", SignupOptions{Domain: "example.org", Policy: Token}},
		{"short secret", SignupOptions{Domain: "example.org", Secret: []byte("short")}},
	}
	for _, tt := range tests {
		if _, err := NewSignup(tt.o); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	g, err := NewSignup(SignupOptions{Domain: "example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.admit(context.Background(), application{free: true}, nil); !errors.Is(err, errClosed) {
		t.Errorf("by default: %v, want errClosed", err)
	}
}

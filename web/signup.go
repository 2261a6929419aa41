package web

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web/token"
)

// Policy says who may make an account.
type Policy string

// The policies.
const (
	Open   Policy = "open"   // anyone, at a bounded rate
	Token  Policy = "token"  // whoever has a token of the operator's
	Closed Policy = "closed" // nobody: the operator makes accounts
)

// Spent remembers which tokens and tickets were used, for all nodes of a relay and
// through its restarts: a mailbox.Store.
type Spent interface {
	// Spend remembers one durably until a day is over, or for good if that is 0. The
	// error is mailbox.ErrExists if it was used before.
	Spend(ctx context.Context, token mailbox.SpentToken, last mailbox.Day) error
	// GiveBack forgets it.
	GiveBack(ctx context.Context, token mailbox.SpentToken) error
}

// SignupOptions is what a Signup is made of. Domain is needed; the zero value of
// everything else is a documented default.
type SignupOptions struct {
	Domain string // of the addresses
	Policy Policy // "" is Closed

	// Secret signs tickets. All nodes of a relay need the same one, of 16 bytes
	// or more; nil makes one up, so that a restart voids the tickets that are
	// out.
	Secret []byte

	// TokenKeys check tokens, and Spent remembers them. Tokens are taken if both
	// are there, also where the policy is Open: they wait for nothing. Without Spent,
	// used tickets are remembered in memory only.
	TokenKeys []*rsa.PublicKey
	Spent     Spent

	Limits SignupLimits
	Now    func() time.Time // nil is time.Now
}

// SignupLimits bounds how fast accounts are made. Each zero field is its default.
type SignupLimits struct {
	// Wait is the rate at which tickets become good by waiting, over all networks
	// and for each: one every 2 s after a burst of 10, and one every 20 s after
	// a burst of 3. From it follows how long one waits, MinWait (5 s) at least.
	// Where that would be above MaxWait (10 min) only work is left.
	Wait, NetworkWait Rate
	MinWait, MaxWait  time.Duration

	// Life is how long a ticket is good once it is ready; 15 min.
	Life time.Duration

	// Bits is the work that replaces the wait: 2^Bits hashes; 18, which takes a
	// phone two seconds. It grows by one bit for each WorkStep (20) accounts above
	// one every WorkEvery (2 s), up to 40.
	Bits, WorkStep int
	WorkEvery      time.Duration

	// Free is the rate of accounts for which nobody waits or works: those of /new
	// and of first logins. One every 10 s after a burst of 60, and from one network
	// one every 5 min after a burst of 10.
	Free, NetworkFree Rate
}

func (l SignupLimits) withDefaults() SignupLimits {
	orDefault(&l.Wait, Rate{2 * time.Second, 10})
	orDefault(&l.NetworkWait, Rate{20 * time.Second, 3})
	orDefault(&l.MinWait, 5*time.Second)
	orDefault(&l.MaxWait, 10*time.Minute)
	orDefault(&l.Life, 15*time.Minute)
	orDefault(&l.Bits, 18)
	orDefault(&l.WorkStep, 20)
	orDefault(&l.WorkEvery, 2*time.Second)
	orDefault(&l.Free, Rate{10 * time.Second, 60})
	orDefault(&l.NetworkFree, Rate{5 * time.Minute, 10})
	return l
}

// maxBits is more work than anyone does.
const maxBits = 40

// Signup decides who may make an account (DESIGN §8.13). It knows nothing of who
// asks but the token of a network, and forgets that. One Signup serves the web pages
// and, as mailbox.Options.SignUp, first logins: they share its budgets. It is safe
// for concurrent use.
type Signup struct {
	o       SignupOptions
	domain  string // canonical
	tickets signer
	waiting *pacer
	free    *pacer
	worked  *pacer
	used    *used
	turns   *turns
}

// NewSignup returns a Signup. The error names the option at fault.
func NewSignup(o SignupOptions) (*Signup, error) {
	postmaster, err := addr.Parse("postmaster@" + o.Domain)
	if err != nil {
		return nil, errors.New("web: SignupOptions.Domain is not a domain")
	}
	orDefault(&o.Policy, Closed)
	switch o.Policy {
	case Open, Closed:
	case Token:
		if len(o.TokenKeys) == 0 || o.Spent == nil {
			return nil, errors.New("web: sign-up by token needs SignupOptions.TokenKeys and Spent")
		}
	default:
		return nil, fmt.Errorf("web: sign-up policy %q is none of open, token and closed", o.Policy)
	}
	if o.Secret == nil {
		o.Secret = []byte(rand.Text())
	}
	if len(o.Secret) < 16 {
		return nil, errors.New("web: SignupOptions.Secret is shorter than 16 bytes")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Limits = o.Limits.withDefaults()
	l := o.Limits
	return &Signup{
		o: o, domain: postmaster.Domain(), tickets: signer{o.Secret}, used: newUsed(), turns: newTurns(),
		waiting: newPacer(l.Wait, l.NetworkWait),
		free:    newPacer(l.Free, l.NetworkFree),
		worked:  newPacer(Rate{l.WorkEvery, 1}, Rate{}),
	}, nil
}

// takesTokens reports whether a token is of use here.
func (g *Signup) takesTokens() bool {
	return g.o.Policy != Closed && len(g.o.TokenKeys) > 0 && g.o.Spent != nil
}

// An offer is a ticket for a visitor.
type offer struct {
	Ticket string
	Wait   time.Duration // until it is ready; 0 if it is
	Never  bool          // only work makes it good
	Bits   int
}

// offer makes a ticket.
func (g *Signup) offer(peer mailbox.Peer) offer {
	now, l := g.o.Now(), g.o.Limits
	t := ticket{bits: g.bits(now), nonce: newNonce()}
	wait, ok := g.waiting.reserve(peer, now, l.MaxWait)
	if !ok {
		t.expires = now.Add(l.Life)
		t.ready = t.expires
		return offer{Ticket: g.tickets.sign(t), Never: true, Bits: t.bits}
	}
	// Tickets have whole seconds.
	wait = (max(wait, l.MinWait) + time.Second - 1).Truncate(time.Second)
	t.ready = now.Add(wait)
	t.expires = t.ready.Add(l.Life)
	return offer{Ticket: g.tickets.sign(t), Wait: wait, Bits: t.bits}
}

// bits is the work that is asked for at present.
func (g *Signup) bits(now time.Time) int {
	return min(g.o.Limits.Bits+g.worked.backlog(now)/g.o.Limits.WorkStep, maxBits)
}

// An application is what somebody shows for an account.
type application struct {
	peer  mailbox.Peer
	token string
	proof string
	free  bool // may go without proof, within the budgets
}

// admit calls create if the application is good, and takes the price for it if
// create returns nil. Its errors are those of create, mailbox.ErrThrottled when the
// budgets are used up, mailbox.ErrBusy when too many ask at once, and the errors of
// signing up in status.go.
func (g *Signup) admit(ctx context.Context, a application, create func() error) error {
	if g.o.Policy == Closed {
		return errClosed
	}
	return g.turns.take(ctx, func() error { return g.decide(ctx, a, create) })
}

// decide is admit for whoever has the turn.
func (g *Signup) decide(ctx context.Context, a application, create func() error) error {
	switch {
	case a.token != "" && g.takesTokens():
		return g.admitToken(ctx, a.token, create)
	case g.o.Policy == Token:
		return errTokenNeeded
	case a.proof != "":
		return g.admitProof(ctx, a.proof, create)
	case !a.free:
		return errTicket
	}
	if _, ok := g.free.reserve(a.peer, g.o.Now(), 0); !ok {
		return mailbox.ErrThrottled
	}
	return create()
}

func (g *Signup) admitToken(ctx context.Context, text string, create func() error) error {
	t, err := token.Parse(text)
	if err != nil {
		return err
	}
	if err := t.Verify(g.o.TokenKeys...); err != nil {
		return err
	}
	err = g.spend(ctx, mailbox.SpentToken(t.ID()), 0, create)
	if errors.Is(err, errSpent) {
		err = token.ErrSpent
	}
	return err
}

// errSpent is about a token or a ticket that was used before.
var errSpent = errors.New("it was used before")

// spend remembers the token before create is called, and forgets it if create fails:
// one that was being spent when the power went is lost, and none is worth two accounts.
// The error is errSpent if it was used before, on whatever node.
func (g *Signup) spend(ctx context.Context, t mailbox.SpentToken, last mailbox.Day, create func() error) error {
	err := g.o.Spent.Spend(ctx, t, last)
	if errors.Is(err, mailbox.ErrExists) {
		return errSpent
	}
	if err != nil {
		return err
	}
	if err := create(); err != nil {
		return errors.Join(err, g.o.Spent.GiveBack(context.WithoutCancel(ctx), t))
	}
	return nil
}

func (g *Signup) admitProof(ctx context.Context, text string, create func() error) error {
	p, err := parseProof(text)
	if err != nil {
		return err
	}
	t, err := g.tickets.open(p.ticket)
	if err != nil {
		return err
	}
	now := g.o.Now()
	worked, err := g.judge(t, p, now)
	if err != nil {
		return err
	}
	if err := g.redeem(ctx, t, now, create); err != nil {
		return err
	}
	if worked {
		g.worked.reserve("", now, maxBacklog)
	}
	return nil
}

// redeem calls create for a ticket that was not used before: not here, and where there
// is Spent on no other node.
func (g *Signup) redeem(ctx context.Context, t ticket, now time.Time, create func() error) error {
	if err := g.used.take(t, now); err != nil {
		return err
	}
	var err error
	if g.o.Spent == nil {
		err = create()
	} else {
		err = g.spend(ctx, t.spent(), mailbox.DayOf(t.expires), create)
	}
	if errors.Is(err, errSpent) {
		return errTicketUsed // and stays so
	}
	if err != nil {
		g.used.giveBack(t)
	}
	return err
}

// maxBacklog is so long that no backlog of work reaches it: the work grows above
// maxBits before.
const maxBacklog = 1 << 62

// workSlack is how many bits the work may have grown while a browser was at it.
const workSlack = 2

// judge reports whether a proof is good by work, or by waiting if there is no work
// in it. Tickets that are not ready give an *earlyError.
func (g *Signup) judge(t ticket, p proof, now time.Time) (worked bool, err error) {
	if !now.Before(t.expires) {
		return false, errTicketOld
	}
	if n := p.zeroBits(); p.work != "" && n >= t.bits {
		if n < g.bits(now)-workSlack {
			return false, errTicketOld // many have come since it was made
		}
		return true, nil
	}
	if now.Before(t.ready) {
		return false, &earlyError{ticket: p.ticket, left: t.ready.Sub(now), bits: t.bits, never: t.ready.Equal(t.expires)}
	}
	return false, nil
}

// FirstLogin is the decision of mailbox.Options.SignUp: nil if the policy is Open,
// name and password fit it and the budgets have room. It returns mailbox.ErrAuth or
// mailbox.ErrThrottled otherwise.
func (g *Signup) FirstLogin(f mailbox.FirstLogin) error {
	fits := g.o.Policy == Open && f.Address.Domain() == g.domain &&
		checkName(f.Address.Local(), minFirstName) == nil && checkPassword(f.Password) == nil
	if !fits {
		return mailbox.ErrAuth
	}
	if _, ok := g.free.reserve(f.Peer, g.o.Now(), 0); !ok {
		return mailbox.ErrThrottled
	}
	return nil
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

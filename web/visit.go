package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// A visit is somebody who is logged in to the account page. It lives in the memory
// of this process; what the browser has is a token in the page's forms.
type visit struct {
	// mu is held during a request, so that the actions of a visit come one after
	// another.
	mu      sync.Mutex
	session *mailbox.Session
	address addr.Address // the account's first
	step    int          // of the page that he should be looking at
	account mailbox.AccountID

	// Guarded by visits.mu.
	key   visitKey
	begun time.Time
	seen  time.Time
	busy  int // requests that use it
	ended bool
}

// visitKey is how a visit is found: a hash, so that looking for a token tells by
// its time nothing about the others.
type visitKey [sha256.Size]byte

// visits are all of them. It is safe for concurrent use.
type visits struct {
	limits Limits
	now    func() time.Time

	mu  sync.Mutex
	all map[visitKey]*visit
}

func newVisits(l Limits, now func() time.Time) *visits {
	return &visits{limits: l, now: now, all: map[visitKey]*visit{}}
}

// visitsPerAccount keeps one account from taking all the room there is.
const visitsPerAccount = 4

// begin makes a visit of a session, which belongs to the visit then, and returns its
// token, without a step. An account that has visitsPerAccount already loses the
// oldest one. The error is mailbox.ErrBusy if there are too many in all.
func (v *visits) begin(x *mailbox.Session, a addr.Address) (*visit, string, error) {
	token := rand.Text()
	now := v.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweepLocked(now)
	v.makeRoomLocked(x.Account())
	if len(v.all) >= v.limits.Visits {
		return nil, "", mailbox.ErrBusy
	}
	t := &visit{session: x, account: x.Account(), address: a, key: sha256.Sum256([]byte(token)), begun: now, seen: now}
	v.all[t.key] = t
	return t, token, nil
}

// makeRoomLocked ends the oldest visit of an account that has its share of them.
func (v *visits) makeRoomLocked(id mailbox.AccountID) {
	n := 0
	var oldest *visit
	for _, t := range v.all {
		if t.account != id {
			continue
		}
		if n++; oldest == nil || t.seen.Before(oldest.seen) {
			oldest = t
		}
	}
	if n >= visitsPerAccount {
		v.endLocked(oldest)
	}
}

// enter finds the visit of a token. It must be left again. The error is errVisit if
// there is none, or its time is over.
func (v *visits) enter(token string) (*visit, error) {
	now := v.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweepLocked(now)
	t := v.all[sha256.Sum256([]byte(token))]
	if t == nil {
		return nil, errVisit
	}
	t.seen = now
	t.busy++
	return t, nil
}

// leave takes note that a request no longer uses a visit. With end, nobody will.
func (v *visits) leave(t *visit, end bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t.busy--
	if end {
		delete(v.all, t.key)
		t.ended = true
	}
	if t.ended && t.busy == 0 {
		t.session.Close()
	}
}

// sweepUntil ends visits whose time is over, until ctx ends, and then all of them.
func (v *visits) sweepUntil(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			v.sweep()
		case <-ctx.Done():
			v.endAll()
			return
		}
	}
}

func (v *visits) sweep() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweepLocked(v.now())
}

func (v *visits) sweepLocked(now time.Time) {
	for _, t := range v.all {
		if now.Sub(t.seen) >= v.limits.Visit || now.Sub(t.begun) >= v.limits.VisitMax {
			v.endLocked(t)
		}
	}
}

func (v *visits) endAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.all {
		v.endLocked(t)
	}
}

func (v *visits) endLocked(t *visit) {
	delete(v.all, t.key)
	t.ended = true
	if t.busy == 0 {
		t.session.Close()
	}
}

// A pass is what stands in a form of the account page: the token of the visit and
// the step at which the page was made.
type pass struct {
	token string
	step  int
}

// parsePass reads a pass. Anything that is none is errVisit.
func parsePass(text string) (pass, error) {
	token, step, _ := strings.Cut(text, ".")
	n, err := strconv.Atoi(step)
	if err != nil || n < 0 || strconv.Itoa(n) != step || len(token) != len(rand.Text()) {
		return pass{}, errVisit
	}
	return pass{token, n}, nil
}

// String returns what parsePass reads.
func (p pass) String() string { return p.token + "." + strconv.Itoa(p.step) }

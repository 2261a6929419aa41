package imapd

import (
	"errors"
	"slices"
	"sort"
	"sync"

	"github.com/restante/restante/mailbox"
)

// \Recent marks a message in the first session that is told of it, if that is a
// read-write one, and in no other (RFC 3501, 2.3.2). IMAP4rev2 has no such flag, and
// its sessions take no part.
//
// Who was told what is kept in memory, for every arrival and without a write to the
// store: the store learns of it when a client leaves. After a crash, or between
// nodes, a message may so be recent once more, which the RFC permits.

// maxRecents is how many mailboxes are remembered. Beyond that, those that nobody
// has selected are forgotten: what arrived in them since the store was told last
// is recent nowhere.
const maxRecents = 50_000

// place is a mailbox of some account.
type place struct {
	account mailbox.AccountID
	mailbox mailbox.MailboxID
}

// recents knows the last message of each mailbox that some session was told of. It
// is safe for concurrent use.
type recents struct {
	mu   sync.Mutex
	last map[place]*toldTo
}

type toldTo struct {
	uid   mailbox.UID
	users int // sessions that have the mailbox selected
}

// enter says that a session selects the mailbox, until leave. In the store, the
// messages from untold on have been told to nobody.
func (r *recents) enter(p place, untold mailbox.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.last[p]
	if t == nil {
		if len(r.last) >= maxRecents {
			r.forgetLocked()
		}
		t = &toldTo{uid: max(untold, 1) - 1}
		r.last[p] = t
	}
	t.users++
}

func (r *recents) forgetLocked() {
	for p, t := range r.last {
		if t.users == 0 {
			delete(r.last, p)
		}
	}
}

func (r *recents) leave(p place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[p].users--
}

// claim returns which messages up to uid nobody was told of, and takes them as
// told if the claim is for good. ok is false if there are none.
func (r *recents) claim(p place, uid mailbox.UID, forGood bool) (claimed mailbox.UIDRange, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.last[p]
	if uid <= t.uid {
		return mailbox.UIDRange{}, false
	}
	claimed = mailbox.UIDRange{Low: t.uid + 1, High: uid}
	if forGood {
		t.uid = uid
	}
	return claimed, true
}

// first returns the first message that nobody was told of, which is untold as far
// as the store knows.
func (r *recents) first(p place, untold mailbox.UID) mailbox.UID {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.last[p]; t != nil {
		return t.uid + 1
	}
	return untold
}

// claimRecent makes recent in this session what nobody was told of. It is called
// whenever messages are told.
func (c *conn) claimRecent() {
	s := c.sel
	if c.enabled.rev2 || len(s.uids) == 0 {
		return
	}
	last := s.uids[len(s.uids)-1]
	if n := len(s.recent); n > 0 && s.recent[n-1].High >= last {
		return
	}
	p := place{c.session.Account(), s.id}
	claimed, ok := c.srv.recents.claim(p, last, !s.readOnly)
	if !ok {
		return
	}
	s.recent = addRange(s.recent, claimed)
	if !s.readOnly && !slices.Contains(c.claimed, s.id) {
		c.claimed = append(c.claimed, s.id)
	}
}

// addRange adds a range that is not below the last one.
func addRange(set []mailbox.UIDRange, r mailbox.UIDRange) []mailbox.UIDRange {
	if n := len(set); n > 0 && r.Low <= set[n-1].High+1 {
		set[n-1].High = r.High
		return set
	}
	return append(set, r)
}

// settleRecent has the store know what this connection was told of.
func (c *conn) settleRecent() {
	for _, id := range c.claimed {
		_, err := c.session.TakeRecent(c.ctx, id)
		if err != nil && !passing(err) && !errors.Is(err, mailbox.ErrNoMailbox) {
			c.log().Error("can't note which messages were told", "error", err)
		}
	}
	c.claimed = nil
}

// isRecent reports whether a message is \Recent in this session.
func (s *selected) isRecent(uid mailbox.UID) bool {
	i := sort.Search(len(s.recent), func(i int) bool { return s.recent[i].High >= uid })
	return i < len(s.recent) && s.recent[i].Low <= uid
}

func (s *selected) countRecent() (n int) {
	for _, r := range s.recent {
		low, high := s.span(r)
		n += high - low
	}
	return n
}

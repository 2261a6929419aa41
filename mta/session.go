package mta

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// A session is what one connection has said since its greeting.
//
// The engine calls it from one goroutine, but reads the data of BDAT in another
// one that outlives the command, and goes on with commands meanwhile. So each
// method holds mu as long as it runs. After the engine has broken off the data,
// waiting for mu is short; before, only AUTH can come, which does not wait.
type session struct {
	server *endpoint
	wire   *wire
	log    *slog.Logger
	policy policy
	hello  func() string // the client's name for itself

	// The engine passes no context, so the session makes one and ends it in
	// logout.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	login  *mailbox.Session // nil until AUTH
	failed int              // logins
	ownAt  uint64           // login.ChangeCount when policy.own was read
	tx     transaction
}

// A transaction is one mail on its way: MAIL, RCPT, DATA (RFC 5321, 3.3).
type transaction struct {
	begun bool
	from  addr.Address // zero: the null sender
	size  int64        // as announced, 0 if it was not
	hello string       // the client's name for itself
	to    []mailbox.Recipient
	away  mailbox.Sending // to recipients elsewhere
	clear bool            // it need not be encrypted
	lost  lostSubject     // of the message
}

// recipients is how many there are so far.
func (t *transaction) recipients() int { return len(t.to) + len(t.away.To) }

func newSession(e *endpoint, w *wire, hello func() string) *session {
	s := &session{server: e, wire: w, hello: hello}
	s.log = e.log.With("session", newID(), "listener", e.role.String())
	s.policy = policy{role: e.role, domains: e.domains, remote: e.remote, operator: e.operator, clear: e.clear, ownersClear: e.ownersClear}
	s.ctx, s.cancel = context.WithCancel(e.ctx)
	return s
}

// newID returns a random id for logs, with no other meaning.
func newID() string { return strings.ToLower(rand.Text()[:10]) }

// reset forgets the transaction.
func (s *session) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = transaction{}
}

// logout ends the session; it may have been none.
func (s *session) logout() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = transaction{}
	if s.login != nil {
		s.login.Close()
	}
	t := s.wire.tally
	s.log.Debug("connection ended", "commands", t.commands, "kept", t.kept, "bytes", t.bytes,
		"seconds", int(time.Since(s.wire.opened).Seconds()))
}

// checkLogin refuses to go on for an account that was changed since AUTH.
func (s *session) checkLogin() error {
	if s.policy.role != submission {
		return nil
	}
	if s.login == nil {
		return errAuthFirst
	}
	select {
	case <-s.login.Revoked():
		return errRevoked
	default:
		return nil
	}
}

var errRevoked = errors.New("mta: login revoked")

// rewriter returns what makes the header of a message fit for storage.
func (s *session) rewriter() rewriter {
	return rewriter{policy: s.policy, gated: s.server.gate != nil && !s.tx.clear, mark: s.tx.clear, now: s.server.now(), lost: &s.tx.lost}
}

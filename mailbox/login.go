package mailbox

import (
	"context"
	"log/slog"
)

// Peer is an opaque token of the network a client is in. Failures are counted by
// it, in memory only. "" is a network without a limit (DESIGN §8.14).
type Peer string

// Login is one try to log in.
type Login struct {
	User   string // an address, or a local part at the primary domain
	Secret string
	Peer   Peer
}

// LogValue keeps logins out of logs.
func (Login) LogValue() slog.Value { return slog.StringValue("[login]") }

// Login opens a Session for whoever proves to own the account.
//
// Errors: ErrAuth for unknown users and wrong secrets alike, after the same work;
// ErrDisabled, only with the right secret; ErrBusy, when too many passwords are
// being checked; ErrThrottled, when too many failing logins wait already. After
// some failures each further try is delayed, by up to 15 s.
func (s *Service) Login(ctx context.Context, l Login) (*Session, error) { panic("soon") }

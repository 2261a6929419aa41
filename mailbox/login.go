package mailbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// Peer is an opaque token of the network a client is in. Failures are counted by
// it, in memory only. "" is a network without a limit (DESIGN §8.14).
type Peer string

// Login is one try to log in.
type Login struct {
	User   string // an address, or a local part at the primary domain
	Secret string
	Peer   Peer

	// Known says that the account must exist: Options.SignUp is not asked.
	Known bool
}

// LogValue keeps logins out of logs.
func (Login) LogValue() slog.Value { return slog.StringValue("[login]") }

// Login opens a Session for whoever proves to own the account.
//
// Errors: ErrAuth for unknown users and wrong secrets alike, after the same work;
// ErrDisabled, only with the right secret; ErrBusy, when too many passwords are
// being checked; ErrThrottled, when too many failing logins wait already; and what
// Options.SignUp returns for an address that no account has. After
// some failures each further try is delayed, by up to 15 s. A login that was good
// a moment ago, and whose account has sessions, costs next to nothing and is not
// delayed.
func (s *Service) Login(ctx context.Context, l Login) (*Session, error) {
	if s.closed() {
		return nil, ErrClosed
	}
	x, err := s.login(ctx, s.newTry(l))
	s.counts.login(err)
	return x, err
}

func (s *Service) login(ctx context.Context, t *try) (*Session, error) {
	if x, err := s.loginAgain(ctx, t); x != nil || err != nil {
		return x, err
	}
	if err := s.throttle.wait(ctx, t.keys...); err != nil {
		return nil, err
	}
	x, err := s.loginNow(ctx, t)
	s.throttle.count(err, t.keys...)
	return x, err
}

// try is a login as it is looked at.
type try struct {
	address addr.Address // zero if the user name is none
	known   bool         // the account must exist
	peer    Peer
	mac     seal.AddressMAC
	proof   proof
	token   loginToken
	keys    []string // for the throttle
}

func (s *Service) newTry(l Login) *try {
	key := l.User
	address, err := s.userAddress(l.User)
	if err == nil {
		key = address.Key()
	} // else it is nobody's address, and goes the way of one that is unknown
	t := &try{address: address, known: l.Known, peer: l.Peer, mac: s.key.AddressMAC(key), proof: newProof(l.Secret)}
	t.token = s.ring.token(t.mac, l.Secret)
	t.keys = []string{throttleKey("login", string(t.mac[:]), t.proof.credential())}
	if l.Peer != "" {
		t.keys = append(t.keys, peerKey(l.Peer))
	}
	return t
}

// loginNow checks the secret. It begins again if the account gets new keys meanwhile.
func (s *Service) loginNow(ctx context.Context, t *try) (x *Session, err error) {
	for range rotations {
		if x, err = s.loginOnce(ctx, t); !errors.Is(err, errRotated) {
			return x, err
		}
	}
	return nil, notTwice(err)
}

// notTwice makes ErrCorrupt of an errRotated that does not go away: the account's row is
// older than those of its credentials.
func notTwice(err error) error {
	if errors.Is(err, errRotated) {
		return fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return err
}

func (s *Service) loginOnce(ctx context.Context, t *try) (*Session, error) {
	row, err := s.accountFor(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	rows, err := s.store.Credentials(ctx, row.ID)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return nil, fmt.Errorf("login: %w", err)
	}
	owner := s.owner(row.ID, row.Key.Generation)
	c, root, err := s.unlock(ctx, owner, rows, &t.proof, MainSecret, ChosenPassword, DeviceSecret, KeepingSecret)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	defer root.Wipe()
	return s.enter(ctx, row, &root, c, t.token)
}

// enter opens a session for whoever has proven to own an account. New keys that were
// asked for are made first: the error is errRotated then, and the caller begins again.
func (s *Service) enter(ctx context.Context, row Account, root *seal.Root, c Credential, token loginToken) (*Session, error) {
	if row.State != Active {
		return nil, ErrDisabled
	}
	if row.RotateDue {
		if err := s.rotateDue(ctx, row, root); err != nil {
			return nil, err
		}
	}
	sealer := s.owner(row.ID, row.Key.Generation)
	keys := root.Keys(sealer)
	p, err := s.pastOf(ctx, sealer, keys)
	if err != nil {
		return nil, err
	}
	x, err := s.ring.open(s, keys, root, p, c, token)
	if err != nil {
		return nil, err
	}
	x.alert = s.o.Terms.alert(&row, s.today())
	x.own.leaveFormer()
	return x, nil
}

// lookUp finds an account by address. For an unknown address it returns a row that
// has no credentials, so that all that follows takes its course.
func (s *Service) lookUp(ctx context.Context, mac seal.AddressMAC) (Account, error) {
	row, err := s.store.Lookup(ctx, mac)
	if errors.Is(err, ErrNoAccount) {
		return Account{}, nil
	}
	return row, err
}

// loginAgain opens a session from the root that other sessions of the account hold
// already. It returns nil if there is none, or this secret was not seen before.
func (s *Service) loginAgain(ctx context.Context, t *try) (*Session, error) {
	own, known := s.ring.find(t.token)
	if own == nil {
		return nil, nil
	}
	row, err := s.lookUp(ctx, t.mac)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	if row.ID != own.id { // the address was given up
		return nil, nil
	}
	rows, err := s.store.Credentials(ctx, own.id)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	if row.State != Active || row.RotateDue || row.Key.Generation != own.sealer.Generation || !known.among(rows) {
		return nil, nil
	}
	x := s.ring.join(own, known)
	if x != nil { // who is told first may be a client that shows nothing
		x.alert = s.o.Terms.alert(&row, s.today())
	}
	return x, nil
}

// credentialsOf reads an account and its credentials.
func (s *Service) credentialsOf(ctx context.Context, id AccountID) (Account, []Credential, error) {
	row, err := s.store.Account(ctx, id)
	if err != nil {
		return Account{}, nil, err
	}
	rows, err := s.store.Credentials(ctx, id)
	return row, rows, err
}

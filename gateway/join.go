package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// The vault's kinds for invitations: those that the user gave out, and those that the
// user has followed. Both are named by their secret.
const (
	inviteKind = "invitation"
	joinKind   = "join"
)

const (
	// invitationTerm is how long an invitation is good, and how long an answer to one
	// that was followed is waited for.
	invitationTerm = 7 * 24 * time.Hour
	// maxInvitations bounds each of the two kinds: every mail that no key opens is
	// tried with all their secrets.
	maxInvitations = 64
)

// ErrTooManyInvitations: so many invitations are open that another would slow down the
// reading of mail.
var ErrTooManyInvitations = errors.New("64 invitations are open: withdraw some, or wait until they end after a week")

// JoinState says how far the meeting is that begins with somebody's invitation.
type JoinState string

// The states of a Join.
const (
	JoinAsked      JoinState = "asked"      // the inviter was asked for their key
	JoinIntroduced JoinState = "introduced" // the inviter is verified, and has our key
	JoinDone       JoinState = "done"       // the inviter has verified us too
)

// Join is an invitation that the user follows.
type Join struct {
	Invitation
	State JoinState
	Since time.Time
	As    addr.Address // the user's, by which they follow it
}

// joinRecord is a Join as the vault keeps it.
type joinRecord struct {
	Link  string    `json:"link"`
	State JoinState `json:"state"`
	Since time.Time `json:"since"`
	As    string    `json:"as,omitempty"` // "" is the account's own address
}

// inviteRecord is an invitation of the user's own, as the vault keeps it.
type inviteRecord struct {
	Link string    `json:"link"`
	Made time.Time `json:"made"`
}

// invite is an invitation of the user's own.
type invite struct {
	Invitation
	made time.Time
}

// joiner has both halves of SecureJoin. It is safe for concurrent use; what it changes
// is in the vault before anything is sent.
type joiner struct {
	vault    *vault.Vault
	contacts *Contacts
	own      func() *identities
	now      func() time.Time
	send     func(note) error // into the outbox
	// addMember takes somebody into the group that they were invited to.
	addMember func(id string, a addr.Address) error

	mu      sync.Mutex
	invites map[string]invite // by their secrets
	joins   map[string]Join   // by their secrets
	news    chan struct{}     // closed, and replaced, when a join has changed
}

// load reads what the vault has.
func (j *joiner) load() error {
	j.invites, j.joins, j.news = map[string]invite{}, map[string]Join{}, make(chan struct{})
	err := eachRecord(j.vault, inviteKind, func(name string, r inviteRecord) error {
		i, err := ParseInvitation(r.Link)
		if err != nil {
			return fmt.Errorf("%w: an invitation: %w", vault.ErrDamaged, err)
		}
		j.invites[name] = invite{i, r.Made}
		return nil
	})
	if err != nil {
		return err
	}
	return eachRecord(j.vault, joinKind, func(name string, r joinRecord) error {
		i, err := ParseInvitation(r.Link)
		if err != nil {
			return fmt.Errorf("%w: an invitation: %w", vault.ErrDamaged, err)
		}
		x := Join{i, r.State, r.Since, j.own().main.Address}
		if r.As != "" {
			x.As, err = addr.Parse(r.As)
		}
		j.joins[name] = x
		return err
	})
}

// expire forgets what is over its term. The caller holds mu.
func (j *joiner) expireLocked() error {
	over := j.now().Add(-invitationTerm)
	for name, i := range j.invites {
		if i.made.Before(over) {
			if err := j.vault.Delete(inviteKind, name); err != nil {
				return err
			}
			delete(j.invites, name)
		}
	}
	for name, x := range j.joins {
		if x.Since.Before(over) {
			if err := j.vault.Delete(joinKind, name); err != nil {
				return err
			}
			delete(j.joins, name)
		}
	}
	return nil
}

// secrets returns what mail may be encrypted with by those who have an invitation, or
// gave one.
func (j *joiner) secrets() [][]byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list [][]byte
	for _, i := range j.invites {
		list = append(list, i.secret())
	}
	for _, x := range j.joins {
		list = append(list, x.secret())
	}
	return list
}

// invite keeps a new invitation.
func (j *joiner) invite(i Invitation) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.expireLocked(); err != nil {
		return err
	}
	if len(j.invites) >= maxInvitations {
		return ErrTooManyInvitations
	}
	made := j.now()
	if err := putRecord(j.vault, inviteKind, i.Auth, inviteRecord{i.Link(), made}); err != nil {
		return err
	}
	j.invites[i.Auth] = invite{i, made}
	return nil
}

// withdraw ends an invitation of the user's. It is no error if there is none.
func (j *joiner) withdraw(auth string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.invites, auth)
	return j.vault.Delete(inviteKind, auth)
}

// end withdraws the invitations of an identity that was given up, and what it follows.
func (j *joiner) end(identity addr.Address) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for name, i := range j.invites {
		if i.Address.Equal(identity) {
			if err := j.vault.Delete(inviteKind, name); err != nil {
				return err
			}
			delete(j.invites, name)
		}
	}
	for name, x := range j.joins {
		if x.As.Equal(identity) {
			if err := j.vault.Delete(joinKind, name); err != nil {
				return err
			}
			delete(j.joins, name)
		}
	}
	return nil
}

// keepLocked writes the state of a join.
func (j *joiner) keepLocked(x Join) error {
	if err := putRecord(j.vault, joinKind, x.Auth, joinRecord{x.Link(), x.State, x.Since, x.As.String()}); err != nil {
		return err
	}
	j.joins[x.Auth] = x
	close(j.news)
	j.news = make(chan struct{})
	return nil
}

// await waits until a join has come to its end, or ctx ends, and returns it as it is
// then.
func (j *joiner) await(ctx context.Context, x Join) Join {
	for {
		j.mu.Lock()
		if now, ok := j.joins[x.Auth]; ok {
			x = now
		}
		news := j.news
		j.mu.Unlock()
		if x.State == JoinDone {
			return x
		}
		select {
		case <-news:
		case <-ctx.Done():
			return x
		}
	}
}

// list returns the joins, the oldest first.
func (j *joiner) list() ([]Join, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.expireLocked(); err != nil {
		return nil, err
	}
	list := slices.Collect(maps.Values(j.joins))
	slices.SortFunc(list, func(a, b Join) int { return a.Since.Compare(b.Since) })
	return list, nil
}

// accept follows an invitation by one of the user's identities. If the inviter's key is
// known already it goes on with the second step at once; but not by an identity that they
// don't know: that they are no stranger would tell them who it is.
func (j *joiner) accept(i Invitation, own *Identity) (Join, error) {
	if j.own().withKey(i.Fingerprint) != nil {
		return Join{}, badInvitation("it is your own: send it to somebody else")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.expireLocked(); err != nil {
		return Join{}, err
	}
	x, again := j.joins[i.Auth]
	if !again && len(j.joins) >= maxInvitations {
		return Join{}, ErrTooManyInvitations
	}
	if again && x.State == JoinDone {
		return x, nil
	}
	x = Join{i, JoinAsked, j.now(), own.Address}
	known, err := j.known(i, own)
	if err != nil {
		return Join{}, err
	}
	if known != nil {
		return j.introduceLocked(x, known)
	}
	if err := j.keepLocked(x); err != nil {
		return Join{}, err
	}
	return x, j.send(note{from: x.As, to: i.all(), secret: i.secret(), header: step("vc-request-pubkey", i.Auth)})
}

// known returns the inviter's certificate if we have it, and they know that we may.
func (j *joiner) known(i Invitation, own *Identity) (*pgp.Cert, error) {
	p, err := j.contacts.Peer(i.Address)
	if err != nil || own != j.own().main && !containsAddress(p.knownAs(j.own().main.Address), own.Address) {
		return nil, err
	}
	certs, err := j.contacts.Certs(i.Address)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if c.Fingerprint() == i.Fingerprint && c.Usable(j.now()) == nil {
			return c, nil
		}
	}
	return nil, nil
}

// introduceLocked takes the inviter's key for verified and sends them ours.
func (j *joiner) introduceLocked(x Join, c *pgp.Cert) (Join, error) {
	own, err := j.own().live(x.As)
	if err != nil {
		return Join{}, err
	}
	if err := j.verify(x.Address, c, own.Address); err != nil {
		return Join{}, err
	}
	word := "vc-request-with-auth"
	header := []pgp.Field{{Name: "Secure-Join-Fingerprint", Value: string(own.Current.Fingerprint())}}
	if x.Group != "" {
		word = "vg-request-with-auth"
		header = append(header, pgp.Field{Name: "Secure-Join-Group", Value: x.Group})
	}
	x.State = JoinIntroduced
	if err := j.keepLocked(x); err != nil {
		return Join{}, err
	}
	return x, j.send(note{from: x.As, to: []addr.Address{x.Address}, header: append(step(word, x.Auth), header...), gossip: true})
}

// verify takes a key for verified, of somebody who knows the user by that address.
func (j *joiner) verify(a addr.Address, c *pgp.Cert, as addr.Address) error {
	if err := j.contacts.meet(a, as, j.own().main.Address); err != nil {
		return err
	}
	return j.contacts.Verify(a, c, j.now())
}

// step returns the fields by which a mail says which step of SecureJoin it is.
func step(word, auth string) []pgp.Field {
	fields := []pgp.Field{{Name: "Secure-Join", Value: word}}
	if auth != "" {
		fields = append(fields, pgp.Field{Name: "Secure-Join-Auth", Value: auth})
	}
	return fields
}

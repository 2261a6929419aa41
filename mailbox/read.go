package mailbox

import (
	"context"
	"fmt"
	"sync"

	"github.com/restante/restante/mailbox/seal"
)

// Fetch calls f for each message of the set that exists, by UID. It reads ahead of
// f, and holds no transaction while f runs. It returns f's first error. Items may be
// kept, but not beyond the session.
func (x *Session) Fetch(ctx context.Context, mbox MailboxID, set []UIDRange, f func(*Item) error) error {
	return x.fetch(ctx, mbox, set, false, f)
}

// FetchBodies is Fetch for an f that opens the body of most messages: it reads small
// ones ahead as well.
func (x *Session) FetchBodies(ctx context.Context, mbox MailboxID, set []UIDRange, f func(*Item) error) error {
	return x.fetch(ctx, mbox, set, true, f)
}

// after returns what of the set is above uid.
func after(set []UIDRange, uid UID) []UIDRange {
	for i, r := range set {
		if r.High <= uid {
			continue
		}
		rest := append([]UIDRange(nil), set[i:]...)
		rest[0].Low = max(r.Low, uid+1)
		return rest
	}
	return nil
}

// size returns how many UIDs the set has room for.
func size(set []UIDRange) (n int64) {
	for _, r := range set {
		n += int64(r.High) - int64(r.Low) + 1
	}
	return n
}

// contains reports whether uid is in the ascending set.
func contains(set []UIDRange, uid UID) bool {
	i := reaching(set, uid)
	return i < len(set) && set[i].Low <= uid
}

// Changes returns what happened in a mailbox after since, for clients that come
// back with a mod-sequence (RFC 7162, 3.2.5). Errors: ErrNoMailbox.
func (x *Session) Changes(ctx context.Context, mbox MailboxID, since ModSeq) (Changes, error) {
	own, err := x.use()
	if err != nil {
		return Changes{}, err
	}
	c, err := own.svc.store.Changes(ctx, own.id, mbox, since)
	if err != nil {
		return Changes{}, fmt.Errorf("read changes: %w", err)
	}
	if x.Keeps() {
		return x.coverChanges(ctx, own, mbox, c)
	}
	return c, nil
}

// opener opens messages of one account. The private key is expanded when the first
// message needs it, and goes with the opener.
type opener struct {
	own     *owner
	private func() (seal.PrivateKey, error)
}

func (own *owner) newOpener() *opener {
	return &opener{own: own, private: sync.OnceValues(own.privateKey)}
}

// open opens a message's key and envelope data.
func (o *opener) open(m *Message) (seal.Message, []byte, error) {
	sealed, place, err := o.openKey(m)
	if err != nil {
		return seal.Message{}, nil, err
	}
	data, err := sealed.OpenEnvelope(place, m.Envelope)
	if err != nil {
		return seal.Message{}, nil, o.damaged(m, err)
	}
	return sealed, data, nil
}

func (o *opener) openKey(m *Message) (seal.Message, seal.Place, error) {
	keys, private, err := o.keysFor(m)
	if err != nil {
		return seal.Message{}, seal.Place{}, err
	}
	if m.Stage == StageWrapped {
		place := seal.Place{Mailbox: int64(m.Mailbox), UID: uint32(m.UID)}
		sealed, err := keys.OpenKey1(m.Blob, place, m.Key)
		if err != nil {
			err = o.damaged(m, err)
		}
		return sealed, place, err
	}
	expanded, err := private()
	if err != nil {
		return seal.Message{}, seal.Place{}, err
	}
	sealed, err := expanded.OpenKey0(keys.Owner(), m.Blob, m.Key)
	if err != nil {
		err = o.damaged(m, err)
	}
	return sealed, seal.Place{}, err
}

// keysFor returns the keys of the generation to which a message is sealed. Errors:
// ErrClosed if that is one after the session's, ErrCorrupt if it is none there is.
func (o *opener) keysFor(m *Message) (*seal.Keys, func() (seal.PrivateKey, error), error) {
	own := o.own
	if m.Generation == own.sealer.Generation {
		return own.keys, o.private, nil
	}
	if g, err := seal.Generation(m.Key); err == nil && g == m.Generation && g > own.sealer.Generation {
		// New keys were made, and this session is about to end.
		return nil, nil, fmt.Errorf("%w: account %s, mailbox %d, message %d has followed to key %d", ErrClosed, own.id, m.Mailbox, m.UID, g)
	}
	f := own.past.keys[m.Generation]
	if f == nil {
		return nil, nil, o.damaged(m, fmt.Errorf("sealed to key %d of the account, which is not kept", m.Generation))
	}
	return f.keys, func() (seal.PrivateKey, error) { return own.formerPrivateKey(f) }, nil
}

// damaged says which row an error is about.
func (o *opener) damaged(m *Message, err error) error {
	return fmt.Errorf("%w: account %s, mailbox %d, message %d: %w", ErrCorrupt, o.own.id, m.Mailbox, m.UID, err)
}

package mailbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/restante/restante/mailbox/seal"
)

// errRotated: the account has had its keys replaced a moment ago. Whoever opens it
// anew finds the new ones.
var errRotated = fmt.Errorf("%w: the keys of the account were replaced just now", ErrBusy)

// errCannotFollow: a credential has nothing to which new keys could be handed.
var errCannotFollow = errors.New("a password or code of this account is from a version of the program that could not replace keys: " +
	"make new device passwords and a new recovery code, and set the password anew")

// rotations is how often a login is begun again because of new keys.
const rotations = 3

// Rotate gives the account new keys, for when the old ones may be known: to who saw the
// memory of the relay, or had a password and a copy of the store. Mail is not written
// anew: the keys of messages follow as they are looked at, and in the background. All
// passwords and codes stay good; change those that may be known too. Sessions end, this
// one as well, and can be opened again at once. It is one transaction.
//
// Errors: ErrAuth if the session may not manage the account, ErrGone if it has other
// keys by now.
func (x *Session) Rotate(ctx context.Context) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	row, err := own.svc.store.Account(ctx, own.id)
	if err == nil && row.Key.Generation != own.sealer.Generation {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	root, err := own.copyRoot()
	if err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	defer root.Wipe()
	return own.svc.rotate(ctx, row, &root)
}

// SetPasswordAndKeys is SetPassword for a password that may be known together with what
// it opens: it gives the account new keys first, as Session.Rotate does. If only the
// second step fails, the old password is still good.
func (s *Service) SetPasswordAndKeys(ctx context.Context, id AccountID, oldOrRecovery, password string) (secret string, err error) {
	if s.closed() {
		return "", ErrClosed
	}
	row, rows, err := s.credentialsOf(ctx, id)
	if err != nil {
		return "", fmt.Errorf("replace keys: %w", err)
	}
	root, err := s.proveRight(ctx, row, rows, newProof(oldOrRecovery))
	if err != nil {
		return "", fmt.Errorf("replace keys: %w", err)
	}
	defer root.Wipe()
	if err := s.rotate(ctx, row, &root); err != nil {
		return "", err
	}
	return s.SetPassword(ctx, id, oldOrRecovery, password)
}

// RequestRotation has an account get new keys when its owner logs in next, and ends its
// sessions. The operator can do no more: the old keys open what the new ones must seal.
func (s *Service) RequestRotation(ctx context.Context, id AccountID) error {
	if s.closed() {
		return ErrClosed
	}
	if err := s.store.RequestRotation(ctx, id, true); err != nil {
		return fmt.Errorf("request new keys: %w", err)
	}
	return s.recheck(ctx, id)
}

// rotateDue makes the new keys that were asked for. It returns errRotated when they
// are there: the login begins again, and finds them. If the account can't have any,
// nothing stands in the way of the login.
func (s *Service) rotateDue(ctx context.Context, row Account, root *seal.Root) error {
	switch err := s.rotate(ctx, row, root); {
	case err == nil, errors.Is(err, ErrGone):
		return errRotated
	case errors.Is(err, errCannotFollow), errors.Is(err, ErrCorrupt):
		s.log.Error("an account can't be given new keys", "account", row.ID, "error", err)
		return s.store.RequestRotation(ctx, row.ID, false)
	default:
		return err
	}
}

// rotate gives an account new keys and ends its sessions. root is its present one.
func (s *Service) rotate(ctx context.Context, row Account, root *seal.Root) error {
	next := seal.NewRoot()
	defer next.Wipe()
	from, to := s.owner(row.ID, row.Key.Generation), s.owner(row.ID, row.Key.Generation+1)
	r := rotation{svc: s, root: root, next: &next, from: root.Keys(from), to: next.Keys(to)}
	key := AccountKey{Public: next.PrivateKey().PublicKey().Bytes(), Generation: to.Generation}
	change, _, err := s.newEntries(ctx, row.ID, key)
	if err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	if err := s.store.Rotate(ctx, row.ID, change, r.reseal); err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	return s.recheck(ctx, row.ID)
}

// rotation is one change of an account's keys.
type rotation struct {
	svc        *Service
	root, next *seal.Root
	from, to   *seal.Keys
}

// reseal seals anew what an account has besides messages. What does not open is
// damaged, and stays as it is: no key would bring it back.
func (r *rotation) reseal(b *Belongings) error {
	p := openPast(r.from, b.Former)
	defer p.wipe()
	b.Former = p.rows(r.from, r.to, r.root)
	for i := range b.Credentials {
		if err := r.hand(&b.Credentials[i]); err != nil {
			return err
		}
	}
	for i := range b.Mailboxes {
		r.name(&b.Mailboxes[i].Name)
	}
	for i := range b.Subscriptions {
		r.name(&b.Subscriptions[i])
	}
	for i := range b.Keywords {
		r.keyword(&b.Keywords[i].Name)
	}
	for i := range b.Entries {
		r.entry(&b.Entries[i])
	}
	for i := range b.Blocked {
		label := blockedLabel(b.Blocked[i].MAC)
		r.note(label, &b.Blocked[i].Sealed)
	}
	return nil
}

// hand gives a credential the new root by its public key.
func (r *rotation) hand(c *Credential) error {
	if len(c.Public) == 0 {
		return errCannotFollow
	}
	damaged := func(err error) error {
		return fmt.Errorf("%w: public key of credential %d of account %s: %w", ErrCorrupt, c.ID, AccountID(r.to.Owner().Account), err)
	}
	b, err := r.from.OpenNote(publicLabel(c.ID), c.Public)
	if err != nil {
		return damaged(err)
	}
	public, err := seal.ParsePublicKey(b)
	if err != nil {
		return damaged(err)
	}
	if c.Wrapped, err = public.HandRoot(r.to.Owner(), int64(c.ID), r.next); err != nil {
		return damaged(err)
	}
	c.Public = r.to.SealNote(publicLabel(c.ID), b)
	r.note(deviceLabel(c.ID), &c.Label)
	return nil
}

// note seals a note anew under its label.
func (r *rotation) note(label string, sealed *[]byte) {
	if content, err := r.from.OpenNote(label, *sealed); err == nil {
		*sealed = r.to.SealNote(label, content)
	}
}

func (r *rotation) name(n *SealedName) {
	if name, err := openName(r.from, *n); err == nil {
		*n = sealName(r.to, name)
	}
}

func (r *rotation) keyword(n *SealedName) {
	if len(n.MAC) != len(seal.NameMAC{}) {
		return
	}
	word, err := r.from.OpenKeyword(seal.NameMAC(n.MAC), n.Sealed)
	if err != nil {
		return
	}
	if folded, err := cleanKeyword(word); err == nil {
		*n = sealKeyword(r.to, folded, word)
	}
}

func (r *rotation) entry(e *PlacedAnnotation) {
	if entry, err := openEntry(r.from, e.Mailbox, e.Annotation); err == nil {
		e.Annotation = sealEntry(r.to, e.Mailbox, entry)
	}
}

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restante/restante/mailbox"
)

// Accept implements mailbox.Store.
func (s *Store) Accept(ctx context.Context, ds []mailbox.Delivery, out ...mailbox.Outbound) ([]mailbox.Receipt, error) {
	in := intake{ds: ds, out: out}
	if err := s.take(ctx, "accept", &in, nil); err != nil {
		return nil, err
	}
	return in.receipts, nil
}

// intake is what comes in with one request.
type intake struct {
	ds       []mailbox.Delivery
	out      []mailbox.Outbound
	bodies   []*body // of ds
	leaving  []*body // of out; nil where an earlier one has the same
	receipts []mailbox.Receipt
	lease    []mailbox.DestinationID // under which it happens
}

// take stores what comes in, after what first does in the same transaction.
func (s *Store) take(ctx context.Context, op string, in *intake, first func(*tx) error) error {
	err := in.takeBodies()
	if err != nil {
		discardAll(in.bodies)
		discardAll(in.leaving)
		return fmt.Errorf("%s: %w", op, err)
	}
	return s.submit(ctx, &job{
		op:           op,
		bytes:        in.weigh(),
		accounts:     in.accounts(),
		destinations: in.destinations(),
		grows:        true,
		patient:      in.binds(),
		run: func(t *tx) error {
			if first != nil {
				if err := first(t); err != nil {
					return err
				}
			}
			return in.store(t)
		},
		outcome: func(err error) {
			clearBodies(in.bodies, in.receipts, err)
			clearBodies(in.leaving, nil, err)
		},
	})
}

// binds reports whether a delivery is bound to its place, by keys that may go when
// the caller's method returns.
func (in *intake) binds() bool {
	return slices.ContainsFunc(in.ds, func(d mailbox.Delivery) bool { return d.Bind != nil })
}

func (in *intake) store(t *tx) error {
	in.receipts = make([]mailbox.Receipt, len(in.ds))
	for i := range in.ds {
		if err := t.accept(&in.ds[i], in.bodies[i], &in.receipts[i]); err != nil {
			return err
		}
	}
	for i := range in.out {
		if err := t.addJob(&in.out[i], in.leaving[i]); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) takeBodies() (err error) {
	if in.bodies, err = takeBodies(in.ds); err != nil {
		return err
	}
	in.leaving, err = takeLeaving(in.out)
	return err
}

// weigh estimates what a request writes to the database.
func (in *intake) weigh() int {
	n := 0
	for i := range in.ds {
		n += len(in.ds[i].Key) + len(in.ds[i].Envelope) + len(in.bodies[i].data)
	}
	for i := range in.out {
		n += len(in.out[i].Envelope)
		if in.leaving[i] != nil {
			n += len(in.leaving[i].data)
		}
	}
	return n
}

// accounts lists what a request may change.
func (in *intake) accounts() []mailbox.AccountID {
	ids := make([]mailbox.AccountID, len(in.ds), len(in.ds)+1)
	for i := range in.ds {
		ids[i] = in.ds[i].Account
	}
	if len(in.out) > 0 {
		ids = append(ids, mailbox.QueueAccount)
	}
	return ids
}

// destinations lists those whose rows a request may change.
func (in *intake) destinations() []mailbox.DestinationID {
	ds := slices.Clone(in.lease)
	for i := range in.out {
		ds = append(ds, in.out[i].Destination)
	}
	return ds
}

// takeBodies makes the bodies the store's. They come back even with an error.
func takeBodies(ds []mailbox.Delivery) ([]*body, error) {
	bodies := make([]*body, 0, len(ds))
	var wrong error
	for i := range ds {
		b, ok := ds[i].Body.(*body)
		if !ok {
			wrong = errors.New("a body was not made by CreateBody of this store")
			continue
		}
		if !b.committed || b.account != ds[i].Account || b.blob != ds[i].Blob {
			wrong = errors.New("a body was not committed, or belongs to another delivery")
		}
		b.taken = true
		bodies = append(bodies, b)
	}
	return bodies, wrong
}

// clearBodies removes the bodies that no row names. With an unknown outcome
// there may be such rows: then it is left to the sweep to find out.
func clearBodies(bodies []*body, receipts []mailbox.Receipt, err error) {
	for i, b := range bodies {
		switch {
		case b == nil:
		case errors.Is(err, mailbox.ErrUnknown):
			b.arrived()
		case err != nil || receipts != nil && receipts[i].Duplicate:
			b.remove()
		default:
			b.arrived()
		}
	}
}

func discardAll(bodies []*body) {
	for _, b := range bodies {
		if b != nil {
			b.remove()
		}
	}
}

// accept stores one delivery, or finds that it is there already.
func (t *tx) accept(d *mailbox.Delivery, b *body, r *mailbox.Receipt) error {
	if t.ids[deliveryKey(d)] { // a repetition in the same batch
		if err := t.flush(); err != nil {
			return err
		}
	}
	err := t.before(func() error { return t.admit(d, r) })
	if err != nil || r.Duplicate {
		return err
	}
	m := messageOf(d, r)
	if d.Bind != nil {
		m.Stage = mailbox.StageWrapped
		if m.Key, m.Envelope, err = d.Bind(r.UID); err != nil {
			return fmt.Errorf("bind message: %w", err)
		}
	}
	if err := t.addMessage(d.Account, m); err != nil {
		return err
	}
	if err := t.addBody(b); err != nil {
		return err
	}
	return t.remember(d, r)
}

// admit finds the place of a delivery, or that it is there already.
func (t *tx) admit(d *mailbox.Delivery, r *mailbox.Receipt) error {
	if d.DeliveryID != nil {
		if found, err := t.delivered(d, r); err != nil || found {
			return err
		}
	}
	account, err := t.charge(d.Account, 1, d.Size)
	if err != nil {
		return err
	}
	if account.state != mailbox.Active {
		return mailbox.ErrDisabled
	}
	if account.generation != d.Generation {
		return fmt.Errorf("%w: the key that a delivery is sealed to was replaced", mailbox.ErrGone)
	}
	var sum tally
	sum.add(d.Flags, d.Size)
	at, err := t.allot(d.Account, d.Mailbox, sum)
	if err != nil {
		return err
	}
	*r = mailbox.Receipt{UIDValidity: at.validity, UID: at.first, ModSeq: at.modseq}
	return nil
}

func messageOf(d *mailbox.Delivery, r *mailbox.Receipt) *mailbox.Message {
	return &mailbox.Message{
		Row:        mailbox.Row{UID: r.UID, Flags: d.Flags, ModSeq: r.ModSeq},
		Mailbox:    d.Mailbox,
		Generation: d.Generation,
		Blob:       d.Blob,
		Stage:      mailbox.StageSealed,
		Key:        d.Key,
		Envelope:   d.Envelope,
		Size:       d.Size,
		Day:        d.Day,
		Saved:      d.Day,
	}
}

const (
	queryDelivered = `SELECT uidvalidity, uid, modseq FROM delivered
		WHERE account_id = $1 AND delivery_id = $2 AND day > $3`
	queryRemember = `INSERT INTO delivered (account_id, delivery_id, day, uidvalidity, uid, modseq)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, delivery_id)
		DO UPDATE SET day = $3, uidvalidity = $4, uid = $5, modseq = $6`
)

// delivered looks for an earlier delivery of the same id.
func (t *tx) delivered(d *mailbox.Delivery, r *mailbox.Receipt) (bool, error) {
	dest := []any{num(&r.UIDValidity), num(&r.UID), num(&r.ModSeq)}
	found, err := t.one(queryDelivered, dest, int64(d.Account), d.DeliveryID, int64(d.Day-mailbox.DedupDays))
	r.Duplicate = found
	return found, err
}

func (t *tx) remember(d *mailbox.Delivery, r *mailbox.Receipt) error {
	if d.DeliveryID == nil {
		return nil
	}
	return t.rememberLater(d, queryRemember, int64(d.Account), d.DeliveryID, int64(d.Day),
		int64(r.UIDValidity), int64(r.UID), int64(r.ModSeq))
}

const (
	queryAddMessage = `INSERT INTO message
		(account_id, mailbox_id, uid, modseq, flags, stage, size, generation, day, saved, blob_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	queryAddSealed = `INSERT INTO sealed (account_id, mailbox_id, uid, key_ct, env_ct) VALUES ($1, $2, $3, $4, $5)`
)

func (t *tx) addMessage(id mailbox.AccountID, m *mailbox.Message) error {
	err := t.later(queryAddMessage, int64(id), int64(m.Mailbox), int64(m.UID), int64(m.ModSeq), int64(m.Flags),
		int64(m.Stage), m.Size, int64(m.Generation), int64(m.Day), int64(m.Saved), m.Blob[:])
	if err != nil {
		return err
	}
	return t.later(queryAddSealed, int64(id), int64(m.Mailbox), int64(m.UID), notNull(m.Key), notNull(m.Envelope))
}

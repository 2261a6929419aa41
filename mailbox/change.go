package mailbox

import (
	"context"
	"fmt"
	"time"

	"github.com/restante/restante/mailbox/seal"
)

// Append is one message that its owner puts into a mailbox.
type Append struct {
	Message *Spooled
	Flags   Flags
	Date    time.Time // internal date; zero is now
}

// Append puts messages into a mailbox, all or none, with one receipt for each.
// Errors: ErrNoMailbox, ErrOverQuota, ErrFull.
func (x *Session) Append(ctx context.Context, mbox MailboxID, ms ...Append) ([]Receipt, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	var ds []Delivery
	for _, m := range ms {
		d, forget, err := own.sealAppend(ctx, mbox, m)
		if err != nil {
			discard(ds)
			return nil, err
		}
		defer forget()
		ds = append(ds, d)
	}
	receipts, err := own.svc.store.Accept(ctx, ds)
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return receipts, nil
}

// sealAppend seals a message under the owner's own keys. The store binds it to its
// place as soon as it has one, so that it is at stage 1 from the beginning. forget is
// to be called once the store is done with it.
func (own *owner) sealAppend(ctx context.Context, mbox MailboxID, m Append) (d Delivery, forget func(), err error) {
	if m.Date.IsZero() {
		m.Date = own.svc.now()
	}
	sealed := seal.NewMessage(own.sealer)
	body, err := own.svc.sealBody(ctx, own.id, &sealed, m.Message)
	if err != nil {
		sealed.DEK.Wipe()
		return Delivery{}, nil, err
	}
	data := appendEnvelope(nil, m.Date, m.Message.Message)
	return Delivery{
		Account: own.id, Mailbox: mbox, Generation: own.sealer.Generation, Blob: sealed.Blob,
		Bind: func(uid UID) (key, envelope []byte, err error) { return own.bindTo(&sealed, data, mbox, uid) },
		Body: body, Size: seal.PaddedSize(m.Message.Size), Flags: m.Flags, Day: own.svc.today(),
	}, sealed.DEK.Wipe, nil
}

// Replace puts a message into a mailbox in the place of another, which is expunged:
// both or neither (RFC 8508). Errors: as Append, and ErrGone if the other message is
// no longer there.
func (x *Session) Replace(ctx context.Context, from MailboxID, uid UID, mbox MailboxID, m Append) (Receipt, error) {
	own, err := x.use()
	if err != nil {
		return Receipt{}, err
	}
	d, forget, err := own.sealAppend(ctx, mbox, m)
	if err != nil {
		return Receipt{}, err
	}
	defer forget()
	var r Receipt
	if x.Keeps() {
		r, err = x.replaceOwn(ctx, own, from, uid, d)
	} else {
		r, err = own.svc.store.Replace(ctx, from, uid, d)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("replace: %w", err)
	}
	return r, nil
}

// StoreFlags changes the flags of messages. Errors: ErrNoMailbox.
func (x *Session) StoreFlags(ctx context.Context, mbox MailboxID, c FlagChange) (FlagResult, error) {
	own, err := x.use()
	if err != nil {
		return FlagResult{}, err
	}
	var r FlagResult
	if x.Keeps() {
		r, err = x.mark(ctx, own, mbox, c)
	} else {
		r, err = own.svc.store.StoreFlags(ctx, own.id, mbox, c)
	}
	if err != nil {
		return FlagResult{}, fmt.Errorf("store flags: %w", err)
	}
	return r, nil
}

// Copy copies messages to another mailbox, or moves them. Errors: ErrNoMailbox,
// ErrOverQuota, ErrFull, and ErrCorrupt if one of them does not open; then nothing
// was copied.
func (x *Session) Copy(ctx context.Context, c CopyRequest) (CopyResult, error) {
	own, err := x.use()
	if err != nil {
		return CopyResult{}, err
	}
	if own.svc.level() == spent && !c.Move { // to Trash, mail can still go
		return CopyResult{}, ErrFull
	}
	if err := own.rewrapSet(ctx, c.From, c.Set); err != nil {
		return CopyResult{}, err
	}
	var r CopyResult
	if c.Move && x.Keeps() {
		r, err = x.moveAway(ctx, own, c)
	} else {
		r, err = own.svc.store.Copy(ctx, own.id, c, own.reseal)
	}
	if err != nil {
		return CopyResult{}, fmt.Errorf("copy: %w", err)
	}
	return r, nil
}

// reseal binds a message to its new place. One that has come in since the mailbox
// was re-wrapped is at stage 0 and bound to none: it goes over as it is.
func (own *owner) reseal(m *Message, to MailboxID, uid UID) (key, envelope []byte, err error) {
	if m.Stage == StageSealed {
		return m.Key, m.Envelope, nil
	}
	key, envelope, err = own.newOpener().bind(m, to, uid)
	m.Generation = own.sealer.Generation
	return key, envelope, err
}

// TakeRecent returns the lowest UID that no session was told of, and takes all
// messages there are as told (RFC 3501, 2.3.2). Errors: ErrNoMailbox.
func (x *Session) TakeRecent(ctx context.Context, mbox MailboxID) (UID, error) {
	own, err := x.use()
	if err != nil {
		return 0, err
	}
	uid, err := own.svc.store.TakeRecent(ctx, own.id, mbox)
	if err != nil {
		return 0, fmt.Errorf("take recent: %w", err)
	}
	return uid, nil
}

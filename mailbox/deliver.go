package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// Recipient is an address of an account that can take a message.
type Recipient struct {
	Account AccountID
	Address addr.Address
	Options AddressOptions

	row  *Account // as it was read at that time, if it was
	read time.Time
}

// rowKept is how long a recipient's row is good enough to seal to. Whether the
// account still takes mail, and under that key, the store looks at again when it
// accepts the message.
const rowKept = 2 * time.Second

// Recipient says whether a message of size bytes (0 if not announced) could be
// delivered to a, as far as was known up to two seconds ago. Errors: ErrNoAccount, ErrDisabled, ErrOverQuota,
// and ErrFull while there is no room for mail.
func (s *Service) Recipient(ctx context.Context, a addr.Address, size int64) (Recipient, error) {
	if s.level() == spent {
		return Recipient{}, ErrFull
	}
	return s.recipient(ctx, a, size)
}

// recipient is Recipient for mail of the relay's own.
func (s *Service) recipient(ctx context.Context, a addr.Address, size int64) (Recipient, error) {
	if s.closed() {
		return Recipient{}, ErrClosed
	}
	f, err := s.recentRow(ctx, s.key.AddressMAC(a.Key()))
	if err != nil {
		return Recipient{}, fmt.Errorf("look up recipient: %w", err)
	}
	if err := f.row.accepts(seal.PaddedSize(max(size, 0))); err != nil {
		return Recipient{}, err
	}
	return Recipient{Account: f.row.ID, Address: a, Options: f.options, row: &f.row, read: f.read}, nil
}

// accepts says whether one more message of that padded size may come in.
func (a *Account) accepts(size int64) error {
	switch q := a.Quota; {
	case a.State != Active:
		return ErrDisabled
	case q.Bytes > 0 && a.Used.Bytes+size > q.Bytes, q.Messages > 0 && a.Used.Messages >= q.Messages:
		return ErrOverQuota
	}
	return nil
}

// Deliver seals the message to each recipient and stores it in their INBOX: in
// all of them or, after an error, in none. It is durable when Deliver returns
// nil. A message that was delivered before from the same sender to the same
// recipient is not stored twice, and that is no error. An account that several
// recipients name gets the message once.
//
// Errors: those of Recipient, ErrFull, and ErrUnknown, after which the same
// delivery should be tried again.
func (s *Service) Deliver(ctx context.Context, from addr.Address, to []Recipient, m *Spooled) error {
	return s.Dispatch(ctx, from, to, Sending{}, m)
}

// deliveries seals m to each recipient. After an error there is none.
func (s *Service) deliveries(ctx context.Context, from addr.Address, to []Recipient, m *Spooled) ([]Delivery, error) {
	content, err := m.contentID()
	if err != nil {
		return nil, err
	}
	var ds []Delivery
	for _, r := range onePerAccount(to) {
		id := s.key.DeliveryID(from.Key(), r.Address.Key(), content.messageID, content.digest)
		d, err := s.sealDelivery(ctx, r, m)
		if err != nil {
			discard(ds)
			return nil, err
		}
		d.DeliveryID = id[:]
		ds = append(ds, d)
	}
	return ds, nil
}

// sealDelivery seals m to the INBOX of a recipient's account.
func (s *Service) sealDelivery(ctx context.Context, r Recipient, m *Spooled) (Delivery, error) {
	row, err := s.rowOf(ctx, r)
	if err != nil {
		return Delivery{}, fmt.Errorf("look up recipient: %w", err)
	}
	if err := row.accepts(seal.PaddedSize(m.Size)); err != nil {
		return Delivery{}, err
	}
	s.noteCrowded(&row)
	return s.seal(ctx, &row, Inbox, m, s.now())
}

// rowOf returns the row of a recipient's account as it is, or was a moment ago.
func (s *Service) rowOf(ctx context.Context, r Recipient) (Account, error) {
	if age := s.now().Sub(r.read); r.row != nil && 0 <= age && age < rowKept {
		return *r.row, nil
	}
	row, _, err := s.byAddress(ctx, s.key.AddressMAC(r.Address.Key()))
	if err == nil && row.ID != r.Account {
		err = ErrNoAccount // the address has changed hands since RCPT
	}
	return row, err
}

// onePerAccount leaves one recipient of each account: that with the least key, so
// that a repeated delivery has the same identity in whatever order it names them.
func onePerAccount(to []Recipient) []Recipient {
	to = slices.Clone(to)
	slices.SortFunc(to, func(a, b Recipient) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Address.Key(), b.Address.Key()))
	})
	return slices.CompactFunc(to, func(a, b Recipient) bool { return a.Account == b.Account })
}

// seal seals m to the public key in row, with keys of its own, and writes the
// body to the store. All mail that arrives goes this way, also while its owner is
// logged in; what he appends himself does not (sealAppend).
func (s *Service) seal(ctx context.Context, row *Account, mbox MailboxID, m *Spooled, date time.Time) (Delivery, error) {
	pub, err := s.publics.of(row)
	if err != nil {
		return Delivery{}, err
	}
	sealed := seal.NewMessage(seal.Owner{Store: s.store.ID(), Account: int64(row.ID), Generation: row.Key.Generation})
	defer sealed.DEK.Wipe()
	key, err := sealed.SealKey0(pub)
	if err != nil {
		return Delivery{}, fmt.Errorf("seal key: %w", err)
	}
	body, err := s.sealBody(ctx, row.ID, &sealed, m)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		Account: row.ID, Mailbox: mbox, Generation: row.Key.Generation,
		Blob: sealed.Blob, Key: key, Envelope: sealed.SealEnvelope(seal.Place{}, appendEnvelope(nil, date, m.Message)),
		Body: body, Size: seal.PaddedSize(m.Size), Day: s.today(),
	}, nil
}

func (s *Service) sealBody(ctx context.Context, id AccountID, sealed *seal.Message, m *Spooled) (BodyWriter, error) {
	body, err := s.store.CreateBody(ctx, id, sealed.Blob, seal.SealedSize(m.Size))
	if err != nil {
		return nil, fmt.Errorf("create body: %w", err)
	}
	if err := m.sealTo(body, sealed); err != nil {
		body.Discard()
		return nil, err
	}
	return body, nil
}

// sealTo writes the sealed message to w and makes it durable there.
func (m *Spooled) sealTo(body BodyWriter, sealed *seal.Message) error {
	w, err := sealed.NewBodyWriter(body, m.Size)
	if err != nil {
		return fmt.Errorf("seal body: %w", err)
	}
	// Close gives the writer's memory back, so it is due in any case; the first
	// error is the one that tells.
	if err := errors.Join(m.spool.copyTo(w, 0), w.Close()); err != nil {
		return fmt.Errorf("seal body: %w", err)
	}
	if err := body.Commit(); err != nil {
		return fmt.Errorf("write body: %w", err)
	}
	return nil
}

func discard(ds []Delivery) {
	for _, d := range ds {
		d.Body.Discard()
	}
}

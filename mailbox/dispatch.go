package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// Sending is what goes to other domains, of one message.
type Sending struct {
	To         []Addressee
	RequireTLS bool
	EnvelopeID string

	// Header is put before the message, for these recipients only: whole fields,
	// such as its signature.
	Header []byte
}

// Dispatch is Deliver for a message that also goes to other domains: it is stored
// for the recipients here, and put into the queue for those elsewhere, at once or
// not at all.
func (s *Service) Dispatch(ctx context.Context, from addr.Address, to []Recipient, away Sending, m *Spooled) error {
	if s.closed() {
		return ErrClosed
	}
	err := s.dispatch(ctx, from, to, away, m)
	if errors.Is(err, ErrGone) { // an account's key was replaced meanwhile
		err = s.dispatch(ctx, from, unread(to), away, m)
	}
	return err
}

// unread returns recipients whose rows have to be read again.
func unread(to []Recipient) []Recipient {
	to = slices.Clone(to)
	for i := range to {
		to[i].row = nil
	}
	return to
}

func (s *Service) dispatch(ctx context.Context, from addr.Address, to []Recipient, away Sending, m *Spooled) error {
	ds, err := s.deliveries(ctx, from, to, m)
	if err != nil {
		return err
	}
	out, err := s.outbounds(ctx, from, away, m)
	if err != nil {
		discard(ds)
		return err
	}
	receipts, err := s.store.Accept(ctx, ds, out...)
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	s.tellArrived(ds, receipts)
	s.counts.kept.Add(int64(len(to)))
	s.counts.sent.Add(int64(len(away.To)))
	return nil
}

// tellArrived calls Options.Arrived for what was not stored before.
func (s *Service) tellArrived(ds []Delivery, receipts []Receipt) {
	if s.o.Arrived == nil {
		return
	}
	for i, r := range receipts {
		if !r.Duplicate {
			s.o.Arrived(ds[i].Account)
		}
	}
}

// outbounds seals the message once, and makes a job for each domain.
func (s *Service) outbounds(ctx context.Context, from addr.Address, away Sending, m *Spooled) ([]Outbound, error) {
	if len(away.To) == 0 {
		return nil, nil
	}
	domains := byDomain(away.To)
	if err := s.room.take(ctx, s, len(domains)); err != nil {
		return nil, err
	}
	sealed := seal.NewMessage(s.queueOwner())
	defer sealed.DEK.Wipe()
	size := int64(len(away.Header)) + m.Size
	body, err := s.store.CreateBody(ctx, QueueAccount, sealed.Blob, seal.SealedSize(size))
	if err != nil {
		return nil, fmt.Errorf("create body: %w", err)
	}
	high := highBytes{header: int64(len(away.Header)) + m.Message.HeaderLen}
	if err := m.sealBehind(away.Header, body, &sealed, &high); err != nil {
		body.Discard()
		return nil, err
	}
	now := s.now()
	var out []Outbound
	for _, to := range domains {
		l := Letter{
			ID: JobID(randomID()), From: from, Domain: to[0].Address.Domain(), To: to, Created: now, Size: size,
			EightBit: high.anywhere, UTF8: high.inHeader, RequireTLS: away.RequireTLS, EnvelopeID: away.EnvelopeID,
			sealed: sealed,
		}
		out = append(out, Outbound{
			Job: l.ID, Destination: s.destination(l.Domain), Due: now, Envelope: s.sealLetter(&l), Blob: sealed.Blob, Body: body,
		})
		body = nil // the first job brings it along
	}
	return out, nil
}

// sealBehind writes the sealed message to body, with header before it, and makes
// it durable there. What is written passes through high.
func (m *Spooled) sealBehind(header []byte, body BodyWriter, sealed *seal.Message, high *highBytes) error {
	w, err := sealed.NewBodyWriter(body, int64(len(header))+m.Size)
	if err != nil {
		return fmt.Errorf("seal body: %w", err)
	}
	high.w = w
	_, err = high.Write(header)
	if err == nil {
		err = m.spool.copyTo(high, 0)
	}
	// Close gives the writer's memory back, so it is due in any case.
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("seal body: %w", err)
	}
	if err := body.Commit(); err != nil {
		return fmt.Errorf("write body: %w", err)
	}
	return nil
}

// highBytes notes whether what is written through it has bytes above 127.
type highBytes struct {
	w        io.Writer
	header   int64 // size of the header
	written  int64
	anywhere bool
	inHeader bool
}

func (h *highBytes) Write(p []byte) (int, error) {
	isHigh := func(b byte) bool { return b >= 0x80 }
	h.anywhere = h.anywhere || slices.ContainsFunc(p, isHigh)
	if left := h.header - h.written; left > 0 {
		h.inHeader = h.inHeader || slices.ContainsFunc(p[:min(int64(len(p)), left)], isHigh)
	}
	n, err := h.w.Write(p)
	h.written += int64(n)
	return n, err
}

// byDomain groups recipients by domain. The domains are in order, so that two
// nodes touch the rows of destinations in the same one.
func byDomain(to []Addressee) [][]Addressee {
	to = slices.Clone(to)
	slices.SortStableFunc(to, func(a, b Addressee) int { return strings.Compare(a.Address.Domain(), b.Address.Domain()) })
	var groups [][]Addressee
	for len(to) > 0 {
		n := slices.IndexFunc(to, func(a Addressee) bool { return a.Address.Domain() != to[0].Address.Domain() })
		if n < 0 {
			n = len(to)
		}
		groups = append(groups, to[:n:n])
		to = to[n:]
	}
	return groups
}

// destination returns what stands for a domain in the queue: the MAC of what is
// no address, so that it says nothing about one.
func (s *Service) destination(domain string) DestinationID {
	return DestinationID(s.key.AddressMAC("@" + domain))
}

// Reader returns a reader of the message from its beginning.
func (m *Spooled) Reader() io.Reader { return io.NewSectionReader(m.spool, 0, m.Size) }

// ReadAt implements io.ReaderAt over the message as it came in.
func (m *Spooled) ReadAt(p []byte, off int64) (int, error) { return m.spool.ReadAt(p, off) }

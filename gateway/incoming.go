package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// opener turns mail of the provider into mail that the user reads.
type opener struct {
	own      func() *identities
	contacts *Contacts
	joins    *joiner
	groups   *groups
	threads  *threads
	dir      string
	now      func() time.Time
}

// opened is a mail of the provider that was opened, if it could be. It must be
// closed.
type opened struct {
	Verdict
	fate    fate
	page    page
	content *spool // what was encrypted; nil if nothing was decrypted
}

func (o *opened) close() error {
	if o.content == nil {
		return nil
	}
	return o.content.close()
}

// digestOf names a mail by its octets.
func digestOf(raw *spool) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, raw.reader(0)); err != nil {
		return "", fmt.Errorf("read mail: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// open decrypts and verifies a mail. Nothing of it is returned before the last octet
// was verified. What the mail says about keys is learned, if it may be believed.
// A mail that can't be opened, or is not encrypted, is no error: the page says so.
func (r *opener) open(raw *spool, digest string) (*opened, error) {
	outer, err := mime.Walk(raw.reader(0), mime.Options{})
	if err != nil {
		return nil, fmt.Errorf("read mail: %w", err)
	}
	from := soleAddress(outer.Envelope.From)
	if !outer.Root.Is("multipart/encrypted") {
		return r.cleartext(raw, digest, outer, from)
	}
	content, mail, err := r.decrypt(raw, from)
	if err == nil {
		done, herr := r.handshake(mail, from)
		if done {
			return &opened{fate: consumed, content: content}, nil
		}
		if err = herr; err == nil && mail.OpenedBy == "" {
			err = pgp.ErrNoKey // an invitation's secret, which others know too, makes no mail
		}
		if err != nil {
			err = errors.Join(err, content.close())
		}
	}
	if isVerdict(err) {
		v := judgeFailure(err)
		return &opened{Verdict: v, page: unreadable(v, digest, outer.Root.Header, err, raw.reader(0))}, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := r.encrypted(content, mail, digest, from)
	if err != nil {
		return nil, errors.Join(err, content.close())
	}
	return o, nil
}

// isVerdict tells a mail that is at fault from a disk that is.
func isVerdict(err error) bool {
	for _, e := range []error{pgp.ErrNoKey, pgp.ErrDamaged, pgp.ErrTooLarge, pgp.ErrNotMessage} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// cleartext is a mail that was not encrypted. Its Autocrypt header counts for want of a
// better key, and neither pins nor holds one.
func (r *opener) cleartext(raw *spool, digest string, outer *mime.Message, from addr.Address) (*opened, error) {
	header := fieldsOf(outer.Root.Header)
	if err := r.see(from, header, outer.Envelope.Time, ""); err != nil {
		return nil, err
	}
	v := Verdict{State: Cleartext}
	p, err := r.contacts.Peer(from)
	if err != nil {
		return nil, err
	}
	to := r.addressee(outer.Envelope)
	if err := r.noteThread(to, outer.Envelope.MessageID); err != nil {
		return nil, err
	}
	return &opened{Verdict: v, fate: fateOf(p, v), page: page{
		verdict: v, digest: digest, header: outer.Root.Header, entity: outer.Root.Header, body: raw.reader(outer.HeaderLen),
		identity: r.apart(to), inward: r.threads.inward,
	}}, nil
}

// decrypt opens a mail into a spool. A signature by a key that we don't have yet is
// verified with the one that the mail itself brings: whether that is to be trusted is
// another question.
func (r *opener) decrypt(raw *spool, from addr.Address) (*spool, pgp.Opened, error) {
	certs, err := r.writers(from)
	if err != nil {
		return nil, pgp.Opened{}, err
	}
	content, mail, err := r.decryptWith(raw, certs)
	if err != nil || mail.Signature != pgp.UnknownSigner {
		return content, mail, err
	}
	brought, ok := pgp.FindAutocrypt(mail.Header, from)
	if !ok {
		brought, ok = pgp.FindAutocrypt(fieldsOf(mail.Outer.Root.Header), from)
	}
	if !ok {
		return content, mail, nil
	}
	if err := content.close(); err != nil {
		return nil, pgp.Opened{}, err
	}
	return r.decryptWith(raw, append(certs, brought.Cert))
}

func (r *opener) decryptWith(raw *spool, certs []*pgp.Cert) (*spool, pgp.Opened, error) {
	content := newSpool(r.dir)
	mail, err := pgp.Open(content, raw.reader(0), pgp.DecryptOptions{
		Keys: r.own().Keys(), Passphrases: r.joins.secrets(), Generated: true, Certs: certs, Now: r.now,
	})
	if err == nil {
		err = content.finish()
	}
	if err != nil {
		return nil, pgp.Opened{}, errors.Join(err, content.close())
	}
	return content, mail, nil
}

// writers returns the certificates by which a mail of that address may be signed.
func (r *opener) writers(from addr.Address) ([]*pgp.Cert, error) {
	if from.IsZero() {
		return nil, nil
	}
	return r.contacts.Certs(from)
}

// encrypted judges a mail that was decrypted, and learns from it.
func (r *opener) encrypted(content *spool, mail pgp.Opened, digest string, from addr.Address) (*opened, error) {
	inner, err := mime.Walk(content.reader(0), mime.Options{})
	if err != nil {
		return nil, fmt.Errorf("read mail: %w", err)
	}
	header, shown := mail.Outer.Root.Header, mail.Outer.Envelope
	if mail.Protected {
		header, shown = inner.Root.Header, inner.Envelope
	}
	sender := soleAddress(shown.From)
	p, err := r.contacts.Peer(sender)
	if err != nil {
		return nil, err
	}
	v := judge(r.evidence(mail, p, from, sender, shown))
	v.Outside = !mail.Protected
	if err := r.learn(mail, v, p, from, shown); err != nil {
		return nil, err
	}
	to := r.own().withKey(mail.OpenedBy)
	if err := r.noteThread(to, shown.MessageID); err != nil {
		return nil, err
	}
	g, err := r.inGroup(mail, v, p, from, shown)
	if err != nil {
		return nil, err
	}
	o := &opened{Verdict: v, fate: fateOf(p, v), content: content, page: page{
		verdict: v, digest: digest, header: header, entity: inner.Root.Header, body: content.reader(inner.HeaderLen), group: g,
		identity: r.apart(to), inward: r.threads.inward,
	}}
	if _, ok := findField(mail.Header, "Secure-Join"); ok && o.fate == toRequests {
		o.fate = stay // it may be for another device of the user's
	}
	return o, nil
}

// handshake gives a mail of SecureJoin to the meeting that it is a step of.
func (r *opener) handshake(mail pgp.Opened, from addr.Address) (done bool, err error) {
	if _, ok := findField(mail.Header, "Secure-Join"); !ok {
		return false, nil
	}
	inner, _ := findField(mail.Header, "From")
	return r.joins.handle(arrival{mail, from, soleAddress(mime.ParseAddressList(inner))})
}

func (r *opener) evidence(mail pgp.Opened, p Peer, outside, shown addr.Address, envelope mime.Envelope) evidence {
	author := r.own().of(shown)
	e := evidence{
		result: mail.Result, fromAgree: !shown.IsZero() && shown.Equal(outside), fromOwn: author != nil,
		own: author != nil && author.has(mail.Signer),
	}
	if to := r.own().withKey(mail.OpenedBy); to != nil && author == nil {
		e.result.Misdirected = e.result.Misdirected || r.mixed(to, envelope)
	}
	e.standing = p.Standing(mail.Signer)
	if a, ok := pgp.FindAutocrypt(mail.Header, shown); ok && e.fromAgree && e.standing < Changed && a.Cert.Fingerprint() == mail.Signer {
		e.standing = Pinned // learn pins it
	}
	e.stranger = p.stranger()
	return e
}

// learn takes over what the mail says about keys: its sender's own if From holds,
// and gossip if the signer's key is in use.
func (r *opener) learn(mail pgp.Opened, v Verdict, sender Peer, from addr.Address, shown mime.Envelope) error {
	switch v.State {
	case Good, NewKey, KeyChanged:
	default:
		return nil
	}
	at := r.effective(shown.Time)
	main := r.own().main.Address
	if to := r.own().withKey(mail.OpenedBy); to != nil && !from.IsZero() {
		if err := r.contacts.meet(from, to.Address, main); err != nil {
			return err
		}
	}
	if err := r.see(from, mail.Header, at, mail.Signer); err != nil {
		return err
	}
	if v.State == KeyChanged {
		return nil
	}
	recipients := addresses(shown.To, shown.Cc)
	for _, g := range pgp.FindGossip(mail.Header) {
		if g.Addr.Equal(from) || r.own().isOwn(g.Addr) || !containsAddress(recipients, g.Addr) {
			continue
		}
		_, err := r.contacts.Update(g.Addr, func(p Peer) (Peer, Event) {
			p, event := p.Hear(g.Addr, g.Cert, from, at)
			p.Introduced = p.Introduced || v.State == Good && !sender.stranger()
			return p, event
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// see learns from a mail of the address, with its Autocrypt header if it has one.
func (r *opener) see(from addr.Address, header []pgp.Field, date time.Time, signer pgp.Fingerprint) error {
	if from.IsZero() || r.own().isOwn(from) {
		return nil
	}
	s := Sighting{Date: r.effective(date), Signer: signer}
	if a, ok := pgp.FindAutocrypt(header, from); ok {
		s.Cert, s.Mutual = a.Cert, a.Mutual
	}
	_, err := r.contacts.Update(from, func(p Peer) (Peer, Event) { return p.See(from, s) })
	return err
}

// effective is the date of a mail as far as it may be believed: it was not written
// in the future (Autocrypt Level 1, 3.3).
func (r *opener) effective(date time.Time) time.Time {
	if now := r.now(); date.IsZero() || date.After(now) {
		return now
	}
	return date
}

// soleAddress returns the address of a From field that has one, else the zero
// Address.
func soleAddress(list []mime.Address) addr.Address {
	if all := addresses(list); len(all) == 1 && len(list) == 1 {
		return all[0]
	}
	return addr.Address{}
}

// fieldsOf returns the fields of a raw header.
func fieldsOf(block []byte) []pgp.Field {
	var list []pgp.Field
	for f := range mime.Fields(block) {
		if f.Name != "" {
			list = append(list, pgp.Field{Name: f.Name, Value: f.Value()})
		}
	}
	return list
}

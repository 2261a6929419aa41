package gateway

import (
	"slices"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// Event is what something that was learned means for the user.
type Event int

// The events.
const (
	Nothing    Event = iota
	FirstKey         // a peer has a key now, and had none
	KeyHeld          // another key than the pinned one came up: mail is held until the user decides
	KeyMoved         // the pinned key itself has named its successor
	KeyDiffers       // others say another key than the pinned one; nothing was changed
)

// Sighting is a mail of a peer, as far as keys are concerned.
type Sighting struct {
	// Date is the mail's own date, but not after its arrival (Autocrypt Level 1, 3.3,
	// "effective date").
	Date time.Time
	// Cert is the one in the mail's Autocrypt header, nil if it has none, and Mutual its preference.
	Cert   *pgp.Cert
	Mutual bool
	// Signer is who made the mail's good signature, if that covers the Autocrypt
	// header; else empty.
	Signer pgp.Fingerprint
}

// See returns what is known after a mail of the peer. A first key is pinned if it has
// signed the mail. Another one is then held for the user to decide, unless the mail is
// signed by the pinned key: then its owner has named a successor, which is pinned and
// not yet verified. A mail that is not signed only claims.
func (p Peer) See(owner addr.Address, s Sighting) (Peer, Event) {
	p = p.clone()
	p.LastSeen = later(p.LastSeen, s.Date)
	if s.Signer == "" {
		return p.claim(owner, s)
	}
	if p.Pinned == "" && p.Standing(s.Signer) == Heard {
		p.Pinned = s.Signer // what others said of its owner is borne out
	}
	if s.Cert == nil || s.Date.Before(p.AutocryptAt) {
		return p, Nothing // an older mail that comes late says nothing about today
	}
	p.AutocryptAt, p.Mutual = s.Date, s.Mutual
	f := s.Cert.Fingerprint()
	if slices.Contains(p.Refused, f) {
		return p, Nothing
	}
	p.add(owner, s.Cert, Provenance{Source: FromAutocrypt, First: s.Date, Last: s.Date})
	return p.turnTo(f, s.Signer)
}

// turnTo decides about a key that the signer names as the peer's.
func (p Peer) turnTo(f, signer pgp.Fingerprint) (Peer, Event) {
	switch {
	case f == p.Pinned:
		return p, Nothing
	case p.Pinned != "" && signer == p.Pinned:
		p.Pinned, p.Verified, p.Proposed = f, "", ""
		return p, KeyMoved
	case f != signer || f == p.Proposed:
		return p, Nothing // a key that has not signed proves nothing about its owner
	case p.Pinned == "":
		p.Pinned = f
		return p, FirstKey
	}
	p.Proposed = f
	return p, KeyHeld
}

// claim takes over a key from a mail that anybody may have written.
func (p Peer) claim(owner addr.Address, s Sighting) (Peer, Event) {
	if s.Cert == nil || s.Date.Before(p.ClaimedAt) {
		return p, Nothing
	}
	f := s.Cert.Fingerprint()
	if slices.Contains(p.Refused, f) {
		return p, Nothing
	}
	first := p.isBlank()
	p.add(owner, s.Cert, Provenance{Source: FromClaim, First: s.Date, Last: s.Date})
	p.Claimed, p.ClaimedAt = f, s.Date
	return p, heard(first, p.Pinned, f)
}

// isBlank reports whether mail can't go to the peer for want of any key.
func (p Peer) isBlank() bool {
	return p.Pinned == "" && p.Gossip == "" && p.WKD == "" && p.Claimed == ""
}

// Hear returns what is known after gossip about the peer in a mail of via. The
// caller takes gossip only from encrypted headers with a good signature of a pinned
// key. It adds to what is known of a key, and never replaces a pinned one.
func (p Peer) Hear(owner addr.Address, c *pgp.Cert, via addr.Address, at time.Time) (Peer, Event) {
	f := c.Fingerprint()
	if slices.Contains(p.Refused, f) {
		return p, Nothing
	}
	p = p.clone()
	first := p.isBlank()
	p.add(owner, c, Provenance{Source: FromGossip, Via: via.Key(), First: at, Last: at})
	if !at.Before(p.GossipAt) {
		p.Gossip, p.GossipAt = f, at
	}
	return p, heard(first, p.Pinned, f)
}

// Find returns what is known after the peer's domain was asked, with c nil if it has
// no key for the peer.
func (p Peer) Find(owner addr.Address, c *pgp.Cert, at time.Time) (Peer, Event) {
	p = p.clone()
	first := p.isBlank()
	p.WKD, p.WKDAt = "", at
	if c == nil || slices.Contains(p.Refused, c.Fingerprint()) {
		return p, Nothing
	}
	p.add(owner, c, Provenance{Source: FromWKD, First: at, Last: at})
	p.WKD = c.Fingerprint()
	return p, heard(first, p.Pinned, p.WKD)
}

func heard(first bool, pinned, f pgp.Fingerprint) Event {
	switch {
	case first:
		return FirstKey
	case pinned != "" && pinned != f:
		return KeyDiffers
	}
	return Nothing
}

// Verify returns what is known after the fingerprint of c was compared with its
// owner's: it is the peer's key, whatever was known before.
func (p Peer) Verify(owner addr.Address, c *pgp.Cert, at time.Time) Peer {
	p = p.take(owner, c, Provenance{Source: FromVerification, First: at, Last: at})
	p.Verified = p.Pinned
	return p
}

// Import returns what is known after the user has named c as the peer's key.
func (p Peer) Import(owner addr.Address, c *pgp.Cert, at time.Time) Peer {
	return p.take(owner, c, Provenance{Source: FromImport, First: at, Last: at})
}

// take pins c by the user's own decision.
func (p Peer) take(owner addr.Address, c *pgp.Cert, from Provenance) Peer {
	f := c.Fingerprint()
	p = p.clone()
	p.add(owner, c, from)
	p.pin(f)
	return p
}

// pin makes f the key in use by the user's decision. Only the verified key stays
// verified.
func (p *Peer) pin(f pgp.Fingerprint) {
	p.Accepted, p.Blocked = true, false
	if p.Verified != f {
		p.Verified = ""
	}
	p.Pinned, p.Proposed = f, ""
	p.Refused = slices.DeleteFunc(p.Refused, func(r pgp.Fingerprint) bool { return r == f })
}

// Accept returns what is known after the user has accepted the key that is held:
// mail goes to it from now on. It reports false, and changes nothing, if f is not
// that key: the user has looked at another one.
func (p Peer) Accept(f pgp.Fingerprint) (Peer, bool) {
	if f == "" || f != p.Proposed {
		return p, false
	}
	p = p.clone()
	p.pin(f)
	return p, true
}

// Refuse is the opposite of Accept: mail goes to the pinned key as before, and the
// other one is not asked about again.
func (p Peer) Refuse(f pgp.Fingerprint) (Peer, bool) {
	if f == "" || f != p.Proposed {
		return p, false
	}
	p = p.clone()
	p.Refused = append(p.Refused, f)
	p.Proposed = ""
	return p, true
}

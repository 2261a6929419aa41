package gateway

import (
	"slices"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// Source says how a certificate came to us.
type Source string

// The sources, from the strongest on.
const (
	FromVerification Source = "verification" // compared fingerprints, or SecureJoin
	FromImport       Source = "import"       // a key file that the user gave us
	FromAutocrypt    Source = "autocrypt"    // the header of a mail of its owner
	FromGossip       Source = "gossip"       // the encrypted header of somebody else's mail
	FromWKD          Source = "wkd"          // the owner's domain
	FromClaim        Source = "claim"        // the header of a mail that anybody may have written
)

// Provenance is one occasion on which a certificate came.
type Provenance struct {
	Source Source    `json:"source"`
	Via    string    `json:"via,omitempty"` // whose mail it stood in, for gossip
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
}

// Known is a certificate of a peer, with where it is from.
type Known struct {
	Cert       []byte       `json:"cert"` // merged from all that came
	Provenance []Provenance `json:"provenance"`
}

// Peer is what a gateway knows of one address's keys. The zero value knows nothing.
// A Peer is a value: the functions that learn return a new one and leave the old as it is.
type Peer struct {
	// Verified is the key whose fingerprint was compared; Pinned is the one in use
	// since the first mail, or since the user accepted it. Verified, if set, is also
	// Pinned.
	Verified pgp.Fingerprint `json:"verified,omitempty"`
	Pinned   pgp.Fingerprint `json:"pinned,omitempty"`

	// Proposed is another key than the pinned one, that the peer seems to use now.
	// As long as the user has not decided about it, no mail goes out. Refused are the
	// keys that the user decided against.
	Proposed pgp.Fingerprint   `json:"proposed,omitempty"`
	Refused  []pgp.Fingerprint `json:"refused,omitempty"`

	// Gossip and WKD are what others say and the domain says. They count while
	// nothing is pinned.
	Gossip   pgp.Fingerprint `json:"gossip,omitempty"`
	GossipAt time.Time       `json:"gossipAt,omitzero"`
	WKD      pgp.Fingerprint `json:"wkd,omitempty"`
	WKDAt    time.Time       `json:"wkdAt,omitzero"` // when the domain was asked, whatever it said

	// Claimed is what a mail says that is not signed, so that anybody may have written
	// it. It counts while nothing better is known, and never pins or holds anything.
	Claimed   pgp.Fingerprint `json:"claimed,omitempty"`
	ClaimedAt time.Time       `json:"claimedAt,omitzero"`

	// Accepted says that the user wants mail of this peer: they wrote to them, met them
	// by an invitation, or took their first mail out of Requests. Blocked is the
	// opposite. Neither is so until the user has decided. Introduced says that somebody
	// who was accepted has named the peer's key in a mail to both.
	Accepted   bool `json:"accepted,omitempty"`
	Blocked    bool `json:"blocked,omitempty"`
	Introduced bool `json:"introduced,omitempty"`

	// Own are the addresses by which the peer knows the user. New mail to them goes out by
	// the first.
	Own []string `json:"own,omitempty"`

	// The rest is the peer state of Autocrypt Level 1, 3.2.
	LastSeen    time.Time `json:"lastSeen,omitzero"`
	AutocryptAt time.Time `json:"autocryptAt,omitzero"`
	Mutual      bool      `json:"mutual,omitempty"`

	Certs map[pgp.Fingerprint]Known `json:"certs,omitempty"`
}

// Standing is what a key is to us as a key of one address.
type Standing int

// The standings, from the least on.
const (
	Unknown  Standing = iota // never seen for this address, and none is pinned
	Heard                    // by gossip or from the domain; none is pinned
	Changed                  // another key is pinned
	Pinned                   // the one in use since the first mail, or accepted
	Verified                 // its fingerprint was compared
)

// String returns the word that headers and status show.
func (s Standing) String() string {
	return [...]string{"unknown", "heard", "changed", "pinned", "verified"}[s]
}

// Standing returns what a key is to us.
func (p Peer) Standing(f pgp.Fingerprint) Standing {
	switch {
	case f == "":
		return Unknown
	case f == p.Verified:
		return Verified
	case f == p.Pinned:
		return Pinned
	case p.Pinned != "":
		return Changed
	case f == p.Gossip || f == p.WKD:
		return Heard
	}
	return Unknown
}

// Fingerprint returns the key to encrypt to, and what it is to us. The order is
// verified, pinned, gossip, WKD, claimed; and where one is pinned, no other stands in for it,
// even if it has expired. The error is ErrHeld or ErrNoKey.
func (p Peer) Fingerprint() (pgp.Fingerprint, Standing, error) {
	if p.Proposed != "" {
		return "", Changed, ErrHeld
	}
	for _, f := range []pgp.Fingerprint{p.Verified, p.Pinned, p.Gossip, p.WKD, p.Claimed} {
		if f != "" {
			return f, p.Standing(f), nil
		}
	}
	return "", Unknown, ErrNoKey
}

// stranger reports whether nobody has decided yet that mail of the peer is wanted.
func (p Peer) stranger() bool { return !p.Accepted && !p.Introduced && !p.Blocked }

// clone returns a copy that shares nothing that changes.
func (p Peer) clone() Peer {
	certs := make(map[pgp.Fingerprint]Known, len(p.Certs)+1)
	for f, k := range p.Certs {
		k.Provenance = slices.Clone(k.Provenance)
		certs[f] = k
	}
	p.Certs = certs
	p.Refused = slices.Clone(p.Refused)
	p.Own = slices.Clone(p.Own)
	return p
}

// add merges a certificate into what is known. A copy that can't be merged changes
// nothing: what is known stays.
func (p *Peer) add(owner addr.Address, c *pgp.Cert, from Provenance) {
	f := c.Fingerprint()
	k := p.Certs[f]
	base := c
	if len(k.Cert) > 0 {
		if known, err := pgp.ParseCert(k.Cert); err == nil {
			base = known
		}
	}
	if merged, err := pgp.Merge(base, c, owner); err == nil {
		base = merged
	}
	k.Cert = base.Bytes()
	k.Provenance = addProvenance(k.Provenance, from)
	p.Certs[f] = k
}

// maxProvenance bounds what is remembered of one certificate: the first occasions.
const maxProvenance = 16

func addProvenance(list []Provenance, from Provenance) []Provenance {
	for i := range list {
		if p := &list[i]; p.Source == from.Source && p.Via == from.Via {
			p.Last = later(p.Last, from.Last)
			return list
		}
	}
	if len(list) >= maxProvenance {
		return list
	}
	return append(list, from)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

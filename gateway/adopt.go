package gateway

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// adopt takes over what another device of the user has learned: what is not known here,
// and of what is known on both, what says more. Nothing here is undone by it, but for
// keys of the user's: the newest of all devices is the current one. It reports whether
// one of those has changed.
func (g *Gateway) adopt(b *bundle) (keys bool, err error) {
	for _, r := range b.Records {
		switch r.Kind {
		case keyKind:
			changed, err := adoptKey(g.o.Vault, r)
			if err != nil {
				return keys, err
			}
			keys = keys || changed
		case contactKind:
			err = g.adoptContact(r)
		case groupKind:
			err = g.groups.adopt(r)
		}
		if err != nil {
			return keys, err
		}
	}
	return keys, nil
}

// adoptKey takes a key that is not here, or a later state of one that is.
func adoptKey(v *vault.Vault, r record) (changed bool, err error) {
	var theirs, ours ownKey
	if err := json.Unmarshal(r.Content, &theirs); err != nil {
		return false, err
	}
	content, err := v.Get(keyKind, r.Name)
	switch {
	case errors.Is(err, vault.ErrNoRecord):
	case err != nil:
		return false, err
	default:
		if err := json.Unmarshal(content, &ours); err != nil {
			return false, err
		}
		if !theirs.overrules(ours) {
			return false, nil
		}
	}
	if err := putKey(v, r.Name, theirs); err != nil {
		return false, err
	}
	a, err := addr.Parse(theirs.Address)
	if err != nil {
		return true, err
	}
	newest, err := readIdentity(v, a)
	if err != nil || newest.Current == nil {
		return true, err
	}
	return true, stepBack(v, a, string(newest.Current.Fingerprint()))
}

// adopt takes a group that is not known here. Of others, mails tell.
func (g *groups) adopt(r record) error {
	var x Group
	if err := json.Unmarshal(r.Content, &x); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.byID[x.ID]; known || x.ID != r.Name {
		return nil
	}
	_, err := g.putLocked(x)
	return err
}

func (g *Gateway) adoptContact(r record) error {
	c, err := decodeContact(r.Content)
	if err != nil {
		return err
	}
	a, err := addr.Parse(c.Address)
	if err != nil {
		return err
	}
	known, err := g.contacts.Peer(a)
	if err != nil {
		return err
	}
	if merged := known.join(a, c.Peer); !same(known, merged) {
		_, err = g.contacts.Update(a, func(p Peer) (Peer, Event) { return p.join(a, c.Peer), Nothing })
	}
	return err
}

// same compares what two states of knowledge say.
func same(a, b Peer) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && slices.Equal(x, y)
}

// join returns what is known after hearing what another device of the same user knows
// of the peer: all certificates of both, and the decisions of both. Where both have
// pinned, and not the same key, this device's stays.
func (p Peer) join(owner addr.Address, other Peer) Peer {
	p = p.clone()
	for f, k := range other.Certs {
		cert, err := pgp.ParseCert(k.Cert)
		if err != nil || cert.Fingerprint() != f {
			continue
		}
		if len(k.Provenance) == 0 {
			k.Provenance = []Provenance{{Source: FromImport}}
		}
		for _, from := range k.Provenance {
			p.add(owner, cert, from)
		}
	}
	has := func(f pgp.Fingerprint) bool { _, ok := p.Certs[f]; return f != "" && ok }
	if p.Pinned == "" && has(other.Pinned) && !slices.Contains(p.Refused, other.Pinned) {
		p.Pinned, p.AutocryptAt, p.Mutual = other.Pinned, other.AutocryptAt, other.Mutual
		if has(other.Proposed) {
			p.Proposed = other.Proposed
		}
	}
	if p.Pinned == other.Verified && has(other.Verified) {
		p.Verified = other.Verified
	}
	if p.Proposed != "" && p.Proposed == other.Verified { // decided on the other device
		p.pin(other.Verified)
		p.Verified = other.Verified
	}
	for _, f := range other.Refused {
		if f != p.Pinned && !slices.Contains(p.Refused, f) {
			p.Refused = append(p.Refused, f)
		}
		if f == p.Proposed {
			p.Proposed = ""
		}
	}
	if p.Gossip == "" && has(other.Gossip) {
		p.Gossip, p.GossipAt = other.Gossip, other.GossipAt
	}
	if p.WKD == "" && has(other.WKD) {
		p.WKD, p.WKDAt = other.WKD, other.WKDAt
	}
	if !p.Accepted && !p.Blocked { // a decision made here stays
		p.Accepted, p.Blocked = other.Accepted, other.Blocked
	}
	p.Introduced = p.Introduced || other.Introduced
	for _, own := range other.Own {
		if !slices.Contains(p.Own, own) {
			p.Own = append(p.Own, own)
		}
	}
	p.LastSeen = later(p.LastSeen, other.LastSeen)
	return p
}

package pgp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/addr"
)

// ErrOtherKey means that two certificates have not the same primary key, so that one says nothing about the other.
var ErrOtherKey = errors.New("the certificate is of another key")

// maxSelfSignatures is how many statements of one kind about one part of a certificate a merge keeps, the newest. They
// differ in little but their times, and only the newest counts today; older ones prove old mail.
const maxSelfSignatures = 4

// Merge returns the certificate that says what known says and what update says, both being copies of one that came on
// different ways. Nothing that known has gets lost by it but superseded self-signatures: no subkey, and no revocation
// of anything, whatever update leaves out. So update may come from anybody, in gossip above all; what it can add was
// signed by the owner of the key, as Cert says.
//
// The result has the user IDs of owner only, if either has one of those: a certificate that is passed on must not tell
// what else its owner is called. If owner is zero, or has none, it has those of known.
//
// Errors: ErrOtherKey, and ErrBadCert if the result would be too large. Then known stays the one to use.
func Merge(known, update *Cert, owner addr.Address) (*Cert, error) {
	if known.Fingerprint() != update.Fingerprint() {
		return nil, ErrOtherKey
	}
	merged, err := known.copy()
	if err != nil {
		return nil, err
	}
	more, err := update.copy()
	if err != nil {
		return nil, err
	}
	merged.Revocations = union(merged.Revocations, more.Revocations)
	merged.DirectSignatures = newest(union(merged.DirectSignatures, more.DirectSignatures))
	mergeIdentities(merged, more, owner)
	for i := range more.Subkeys {
		mergeSubkey(merged, &more.Subkeys[i])
	}
	c, err := newCert(merged)
	if err == nil && len(c.raw) > MaxCert {
		err = badCert("merged it is over %d bytes", MaxCert)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// copy reads the certificate again: entities are changed by what is done with them.
func (c *Cert) copy() (*openpgp.Entity, error) {
	return parseEntity(c.raw, MaxCert, openpgp.PublicKeyType)
}

// mergeIdentities takes over what more says of the user IDs that are kept.
func mergeIdentities(merged, more *openpgp.Entity, owner addr.Address) {
	for name, id := range more.Identities {
		known := merged.Identities[name]
		switch {
		case known != nil:
			known.SelfCertifications = newest(union(known.SelfCertifications, id.SelfCertifications))
			known.Revocations = union(known.Revocations, id.Revocations)
		case isOwners(id, owner):
			id.Primary = merged
			merged.Identities[name] = id
		}
	}
	if hasOwners(merged, owner) {
		for name, id := range merged.Identities {
			if !isOwners(id, owner) {
				delete(merged.Identities, name)
			}
		}
	}
}

func hasOwners(e *openpgp.Entity, owner addr.Address) bool {
	for _, id := range e.Identities {
		if isOwners(id, owner) {
			return true
		}
	}
	return false
}

// isOwners reports whether the user ID names owner's address.
func isOwners(id *openpgp.Identity, owner addr.Address) bool {
	a, ok := userIDAddress(id.UserId)
	return ok && !owner.IsZero() && a.Equal(owner)
}

// mergeSubkey takes over a subkey, or what is new about it. Known subkeys keep their order: older software encrypts to
// the first.
func mergeSubkey(merged *openpgp.Entity, more *openpgp.Subkey) {
	for i := range merged.Subkeys {
		known := &merged.Subkeys[i]
		if bytes.Equal(known.PublicKey.Fingerprint, more.PublicKey.Fingerprint) {
			known.Bindings = newest(union(known.Bindings, more.Bindings))
			known.Revocations = union(known.Revocations, more.Revocations)
			return
		}
	}
	more.Primary = merged
	merged.Subkeys = append(merged.Subkeys, *more)
}

// union returns known and those of more that say something else. What is signed tells signatures apart, and not their
// octets: parts of a signature packet can be changed by anybody, and a thousand variants of one must not fill the
// certificate.
func union(known, more []*packet.VerifiableSignature) []*packet.VerifiableSignature {
	for _, s := range more {
		same := func(k *packet.VerifiableSignature) bool {
			return k.Packet.SigType == s.Packet.SigType && bytes.Equal(k.Packet.HashSuffix, s.Packet.HashSuffix)
		}
		if !slices.ContainsFunc(known, same) {
			known = append(known, s)
		}
	}
	return known
}

// newest returns the newest of sigs, which are in the order they came, in that order.
func newest(sigs []*packet.VerifiableSignature) []*packet.VerifiableSignature {
	if len(sigs) <= maxSelfSignatures {
		return sigs
	}
	byTime := slices.Clone(sigs)
	slices.SortStableFunc(byTime, func(a, b *packet.VerifiableSignature) int {
		return b.Packet.CreationTime.Compare(a.Packet.CreationTime)
	})
	return slices.DeleteFunc(sigs, func(s *packet.VerifiableSignature) bool {
		return !slices.Contains(byTime[:maxSelfSignatures], s)
	})
}

// ReadsSEIPDv2 reports whether every one of the certificates says at now that its owner's software reads SEIPDv2 (RFC
// 9580, 5.13.2): a message to all of them has that format then, and can leave out who it is for.
func ReadsSEIPDv2(certs []*Cert, now time.Time) bool {
	return !slices.ContainsFunc(certs, func(c *Cert) bool { return !c.readsSEIPDv2(now) })
}

// Words returns the fingerprint in groups of four digits, for people to compare.
func (f Fingerprint) Words() string {
	var b strings.Builder
	for i := 0; i < len(f); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(f[i:min(i+4, len(f))]))
	}
	return b.String()
}

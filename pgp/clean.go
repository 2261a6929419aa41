package pgp

import (
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// clean verifies every signature of entity and drops all that the primary key has not itself signed: certifications by
// others, photographs, subkeys and user IDs without a valid binding. What is left is small, says only what its owner
// said, and has the library's lazily filled marks set, so that reading it from many goroutines writes nothing.
func clean(e *openpgp.Entity) error {
	if n := countSignatures(e); n > maxCertSignatures {
		return badCert("it has %d signatures, more than %d", n, maxCertSignatures)
	}
	primary := e.PrimaryKey
	e.Revocations = keepValid(e.Revocations, func(s *packet.Signature) error {
		return primary.VerifyRevocationSignature(s)
	})
	e.DirectSignatures = keepValid(e.DirectSignatures, func(s *packet.Signature) error {
		return primary.VerifyDirectKeySignature(s)
	})
	for name, id := range e.Identities {
		if cleanIdentity(primary, id); len(id.SelfCertifications) == 0 {
			delete(e.Identities, name)
		}
	}
	for i := range e.Subkeys {
		cleanSubkey(primary, &e.Subkeys[i])
	}
	e.Subkeys = slices.DeleteFunc(e.Subkeys, func(s openpgp.Subkey) bool { return len(s.Bindings) == 0 })
	if len(e.Identities) == 0 && len(e.DirectSignatures) == 0 {
		return badCert("the key has not signed itself")
	}
	return nil
}

func cleanIdentity(primary *packet.PublicKey, id *openpgp.Identity) {
	verify := func(s *packet.Signature) error { return primary.VerifyUserIdSignature(id.Name, primary, s) }
	id.SelfCertifications = keepValid(id.SelfCertifications, verify)
	id.Revocations = keepValid(id.Revocations, verify)
	id.OtherCertifications = nil
}

func cleanSubkey(primary *packet.PublicKey, s *openpgp.Subkey) {
	s.Bindings = keepValid(s.Bindings, func(sig *packet.Signature) error {
		return primary.VerifyKeySignature(s.PublicKey, sig)
	})
	s.Revocations = keepValid(s.Revocations, func(sig *packet.Signature) error {
		return primary.VerifySubkeyRevocationSignature(sig, s.PublicKey)
	})
}

// keepValid returns the signatures that verify and use no rejected hash or unknown critical notation, marked as valid.
func keepValid(sigs []*packet.VerifiableSignature, verify func(*packet.Signature) error) []*packet.VerifiableSignature {
	valid := true
	var kept []*packet.VerifiableSignature
	for _, s := range sigs {
		if acceptable(s.Packet) && verify(s.Packet) == nil {
			s.Valid = &valid
			kept = append(kept, s)
		}
	}
	return kept
}

// acceptable reports whether we may rely on a signature of this kind at all (RFC 9580, 5.2.3.24 on critical notations).
func acceptable(s *packet.Signature) bool {
	var defaults *packet.Config
	if defaults.RejectHashAlgorithm(s.Hash) {
		return false
	}
	for _, n := range s.Notations {
		if n.IsCritical {
			return false
		}
	}
	return true
}

func countSignatures(e *openpgp.Entity) int {
	n := len(e.Revocations) + len(e.DirectSignatures)
	for _, id := range e.Identities {
		n += len(id.SelfCertifications) + len(id.Revocations)
	}
	for i := range e.Subkeys {
		n += len(e.Subkeys[i].Bindings) + len(e.Subkeys[i].Revocations)
	}
	return n
}

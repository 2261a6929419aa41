package pgp

import (
	"io"
	"maps"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// serializePublic writes the certificate of e. The same certificate gives the same bytes, which the library, keeping
// user IDs in a map, does not promise.
func serializePublic(w io.Writer, e *openpgp.Entity) error {
	if err := e.PrimaryKey.Serialize(w); err != nil {
		return err
	}
	return serializeBindings(w, e, false)
}

// serializePrivate writes the private key of e, as locked or unlocked as it is.
func serializePrivate(w io.Writer, e *openpgp.Entity) error {
	if err := e.PrivateKey.Serialize(w); err != nil {
		return err
	}
	return serializeBindings(w, e, true)
}

func serializeBindings(w io.Writer, e *openpgp.Entity, private bool) error {
	if err := serializeSignatures(w, e.Revocations, e.DirectSignatures); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Identities)) {
		if err := e.Identities[name].Serialize(w); err != nil {
			return err
		}
	}
	for i := range e.Subkeys {
		s := &e.Subkeys[i]
		if err := s.Serialize(w, private && s.PrivateKey != nil); err != nil {
			return err
		}
	}
	return nil
}

func serializeSignatures(w io.Writer, lists ...[]*packet.VerifiableSignature) error {
	for _, list := range lists {
		for _, s := range list {
			if err := s.Packet.Serialize(w); err != nil {
				return err
			}
		}
	}
	return nil
}

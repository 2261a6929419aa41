package pgp

import (
	"maps"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/addr"
)

// Only returns the certificate with the user IDs of one address alone, as a Web Key Directory publishes it
// (draft-koch-openpgp-webkey-service-19, 5): other addresses of the owner stay untold. The error wraps ErrBadCert if
// the certificate has no such user ID.
func (c *Cert) Only(a addr.Address) (*Cert, error) {
	// A parsed certificate never changes, so this is another one.
	entity, err := parseEntity(c.raw, MaxCert, openpgp.PublicKeyType)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(entity.Identities, func(_ string, id *openpgp.Identity) bool {
		have, ok := userIDAddress(id.UserId)
		return !ok || !have.Equal(a)
	})
	if len(entity.Identities) == 0 {
		return nil, badCert("it has no user ID with the address")
	}
	return newCert(entity)
}

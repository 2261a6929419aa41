package mailbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// Certificate is an OpenPGP certificate of the owner of an address, reduced to what
// may be published under that address. What is in it is the caller's affair.
type Certificate struct {
	Fingerprint string
	Bytes       []byte
}

// A published certificate holds, inside its seal: version, the account's number
// (big-endian) and the certificate. It is bound to its address and hash.
const (
	certificateVersion = 1
	certificateHead    = 1 + 8
)

func certificateRow(p *Published) []byte {
	return append(append([]byte("certificate "), p.MAC[:]...), p.WKD[:]...)
}

// Publish replaces what an account has published for one of its addresses; without
// Bytes it takes that away. Errors: ErrNoAccount if the address is not the account's;
// ErrExists if the certificate is published under another address already: the two
// would be known for one person's.
func (s *Service) Publish(ctx context.Context, id AccountID, a addr.Address, c Certificate) error {
	if s.closed() {
		return ErrClosed
	}
	p := Published{
		MAC: s.key.AddressMAC(a.Key()), WKD: s.key.WKDMAC(a.WKDHash(), a.Domain()),
		Fingerprint: s.key.FingerprintMAC(c.Fingerprint),
	}
	var err error
	if c.Bytes == nil {
		err = s.store.Unpublish(ctx, id, p.MAC)
	} else {
		content := binary.BigEndian.AppendUint64([]byte{certificateVersion}, uint64(id))
		p.Cert = s.key.Seal(seal.Directory, certificateRow(&p), append(content, c.Bytes...))
		err = s.store.Publish(ctx, id, p)
	}
	if errors.Is(err, ErrGone) {
		err = ErrNoAccount
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Certificate returns what is published under a hashed local part (addr.Address.WKDHash)
// at a domain in canonical form. The error is ErrNoAccount if there is nothing.
func (s *Service) Certificate(ctx context.Context, hash, domain string) ([]byte, error) {
	if s.closed() {
		return nil, ErrClosed
	}
	wkd := s.key.WKDMAC(hash, domain)
	id, p, err := s.store.FindPublished(ctx, wkd)
	if err != nil {
		return nil, fmt.Errorf("find certificate: %w", err)
	}
	return s.openCertificate(id, p)
}

// Published returns what an account has published for one of its addresses, nil if
// nothing.
func (s *Service) Published(ctx context.Context, id AccountID, a addr.Address) ([]byte, error) {
	if s.closed() {
		return nil, ErrClosed
	}
	list, err := s.store.PublishedBy(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find certificate: %w", err)
	}
	mac := s.key.AddressMAC(a.Key())
	for _, p := range list {
		if p.MAC == mac {
			return s.openCertificate(id, p)
		}
	}
	return nil, nil
}

func (s *Service) openCertificate(id AccountID, p Published) ([]byte, error) {
	content, err := s.key.Open(seal.Directory, certificateRow(&p), p.Cert)
	if err == nil && (len(content) < certificateHead || content[0] != certificateVersion) {
		err = errors.New("it is of a form that is not known")
	}
	if err == nil && AccountID(binary.BigEndian.Uint64(content[1:])) != id {
		err = errors.New("it belongs to another account")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: certificate %x of account %s: %w", ErrCorrupt, p.MAC, id, err)
	}
	return content[certificateHead:], nil
}

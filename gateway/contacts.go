package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// contactKind is where the vault keeps contacts.
const contactKind = "contact"

// contact is a Peer with its address, as the vault keeps it.
type contact struct {
	Address string `json:"address"`
	Peer
}

// Contacts are the peers in a vault. They are safe for concurrent use; what they
// return is durable.
type Contacts struct {
	vault *vault.Vault

	mu    sync.Mutex // held while a record is read, changed and written
	certs sync.Map   // string of the bytes -> *pgp.Cert: parsing one verifies all its signatures
}

// NewContacts returns the contacts in v.
func NewContacts(v *vault.Vault) *Contacts { return &Contacts{vault: v} }

// Peer returns what is known of an address; the zero Peer is nothing.
func (c *Contacts) Peer(a addr.Address) (Peer, error) {
	content, err := c.vault.Get(contactKind, a.Key())
	if errors.Is(err, vault.ErrNoRecord) {
		return Peer{}, nil
	}
	if err != nil {
		return Peer{}, fmt.Errorf("read contact: %w", err)
	}
	known, err := decodeContact(content)
	return known.Peer, err
}

// Update changes what is known of an address, as f says, and keeps it.
func (c *Contacts) Update(a addr.Address, f func(Peer) (Peer, Event)) (Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := c.Peer(a)
	if err != nil {
		return Nothing, err
	}
	p, event := f(p)
	content, err := json.Marshal(contact{a.String(), p})
	if err != nil {
		return Nothing, fmt.Errorf("write contact: %w", err)
	}
	if err := c.vault.Put(contactKind, a.Key(), content); err != nil {
		return Nothing, fmt.Errorf("write contact: %w", err)
	}
	return event, nil
}

// Each calls f for each contact, in no order.
func (c *Contacts) Each(f func(addr.Address, Peer) error) error {
	return c.vault.Each(contactKind, func(_ string, content []byte) error {
		known, err := decodeContact(content)
		if err != nil {
			return err
		}
		a, err := addr.Parse(known.Address)
		if err != nil {
			return fmt.Errorf("%w: a contact without an address", vault.ErrDamaged)
		}
		return f(a, known.Peer)
	})
}

// decide carries out a decision of the user about the key that is held.
func (c *Contacts) decide(a addr.Address, f func(Peer) (Peer, bool)) error {
	decided := false
	_, err := c.Update(a, func(p Peer) (Peer, Event) {
		p, decided = f(p)
		return p, Nothing
	})
	if err == nil && !decided {
		return errors.New("this is not the key that waits for a decision: look at it again with `restante gateway status`")
	}
	return err
}

// Accept makes the changed key of an address the one in use. f is the key that the
// user has looked at.
func (c *Contacts) Accept(a addr.Address, f pgp.Fingerprint) error {
	return c.decide(a, func(p Peer) (Peer, bool) { return p.Accept(f) })
}

// Refuse keeps the old key of an address in use.
func (c *Contacts) Refuse(a addr.Address, f pgp.Fingerprint) error {
	return c.decide(a, func(p Peer) (Peer, bool) { return p.Refuse(f) })
}

// Import makes c the key in use of an address, because the user says so.
func (c *Contacts) Import(a addr.Address, cert *pgp.Cert, now time.Time) error {
	_, err := c.Update(a, func(p Peer) (Peer, Event) { return p.Import(a, cert, now), Nothing })
	return err
}

// Verify is Import for a key whose fingerprint was compared with its owner's.
func (c *Contacts) Verify(a addr.Address, cert *pgp.Cert, now time.Time) error {
	_, err := c.Update(a, func(p Peer) (Peer, Event) { return p.Verify(a, cert, now), Nothing })
	return err
}

// Cert returns the certificate to encrypt to for an address, and what it is to us.
// Errors: ErrNoKey, ErrHeld, and those of pgp.Cert.Usable.
func (c *Contacts) Cert(a addr.Address, now time.Time) (*pgp.Cert, Standing, error) {
	p, err := c.Peer(a)
	if err != nil {
		return nil, Unknown, err
	}
	f, standing, err := p.Fingerprint()
	if err != nil {
		return nil, standing, err
	}
	cert, err := c.parse(p.Certs[f].Cert)
	if err != nil {
		return nil, standing, fmt.Errorf("%w: the certificate of a contact: %w", vault.ErrDamaged, err)
	}
	return cert, standing, cert.Usable(now)
}

// Certs returns every certificate that is known for an address, by which its mail
// may be signed.
func (c *Contacts) Certs(a addr.Address) ([]*pgp.Cert, error) {
	p, err := c.Peer(a)
	if err != nil {
		return nil, err
	}
	var list []*pgp.Cert
	for _, k := range p.Certs {
		cert, err := c.parse(k.Cert)
		if err != nil {
			return nil, fmt.Errorf("%w: the certificate of a contact: %w", vault.ErrDamaged, err)
		}
		list = append(list, cert)
	}
	return list, nil
}

// parse is pgp.ParseCert that remembers. Certificates are few, and those that were
// replaced are forgotten when the program ends.
func (c *Contacts) parse(b []byte) (*pgp.Cert, error) {
	if known, ok := c.certs.Load(string(b)); ok {
		return known.(*pgp.Cert), nil
	}
	cert, err := pgp.ParseCert(b)
	if err == nil {
		c.certs.Store(string(b), cert)
	}
	return cert, err
}

func decodeContact(content []byte) (contact, error) {
	var known contact
	if err := json.Unmarshal(content, &known); err != nil {
		return contact{}, fmt.Errorf("%w: a contact can't be read: %w", vault.ErrDamaged, err)
	}
	return known, nil
}

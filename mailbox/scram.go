package mailbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/restante/restante/internal/scram"
	"github.com/restante/restante/mailbox/seal"
)

// # Logins that don't send the password
//
// A generated secret that logs in has a second credential beside its own, of kind
// SCRAMSecret and with its selector, which comes and goes with it. Its verifier is
// what a SCRAM server keeps, and it wraps the root secret under the ClientKey, which
// the server learns at each login and doesn't have in between.
//
// A chosen password has none: what SCRAM lets a server keep can be guessed at a
// thousand times as fast as what Argon2id leaves. Such an account answers like one
// that does not exist, with a salt of its own that never changes.
//
// At the time of the salt nobody knows which of an account's secrets the client has,
// so that all of them have one salt. It is shown for the account's first address
// only: two addresses must not be known by it to be one person's.

// A scramVerifier is what the row of a SCRAMSecret keeps to check a login by.
type scramVerifier struct {
	iterations uint32
	salt       [scram.SaltSize]byte
	keys       scram.Keys
}

// scramVersion begins an encoded scramVerifier.
const scramVersion = 1

const scramVerifierSize = 1 + 4 + scram.SaltSize + 2*scram.KeySize

func (v *scramVerifier) bytes() []byte {
	b := binary.BigEndian.AppendUint32([]byte{scramVersion}, v.iterations)
	b = append(b, v.salt[:]...)
	return append(append(b, v.keys.Stored[:]...), v.keys.Server[:]...)
}

func parseSCRAMVerifier(b []byte) (v scramVerifier, err error) {
	if len(b) != scramVerifierSize || b[0] != scramVersion {
		return v, errors.New("SCRAM keys of a form that is not known")
	}
	v.iterations = binary.BigEndian.Uint32(b[1:])
	b = b[1+4:]
	b = b[copy(v.salt[:], b):]
	b = b[copy(v.keys.Stored[:], b):]
	copy(v.keys.Server[:], b)
	return v, nil
}

// scramSalt returns the salt of an account's SCRAM credentials, or a new one if it
// has none.
func scramSalt(rows []Credential) (salt [scram.SaltSize]byte) {
	for _, c := range rows {
		if c.Kind != SCRAMSecret {
			continue
		}
		if v, err := parseSCRAMVerifier(c.Verifier); err == nil {
			return v.salt
		}
	}
	_, _ = rand.Read(salt[:]) // never fails (crypto/rand)
	return salt
}

// newSCRAM makes the companion of a generated credential.
func (s *Service) newSCRAM(of Credential, secret string, owner seal.Owner, root *seal.Root, salt [scram.SaltSize]byte) (Credential, error) {
	keys, client, err := scram.Derive(secret, salt[:], scram.Iterations)
	if err != nil {
		return Credential{}, fmt.Errorf("make credential: %w", err)
	}
	kdf := seal.ClientKeyKDF()
	f, err := kdf.ClientKey(client[:])
	if err != nil {
		return Credential{}, fmt.Errorf("make credential: %w", err)
	}
	defer f.Wipe()
	v := scramVerifier{iterations: scram.Iterations, salt: salt, keys: keys}
	c := Credential{
		ID: CredentialID(randomID()), Kind: SCRAMSecret, Selector: of.Selector, KDF: kdf.Bytes(), Verifier: v.bytes(), Created: of.Created,
	}
	c.wrap(&f, owner, root)
	return c, nil
}

// withSCRAM adds the companion of the first of some new credentials, if that has one.
func (s *Service) withSCRAM(list []Credential, secret string, owner seal.Owner, root *seal.Root, salt [scram.SaltSize]byte) ([]Credential, error) {
	if of := list[0]; of.Kind == MainSecret || of.isDevice() {
		c, err := s.newSCRAM(of, secret, owner, root, salt)
		return append(list, c), err
	}
	return list, nil
}

// companions lists the SCRAM credentials that belong to the ones in drop.
func companions(rows []Credential, drop ...CredentialID) []CredentialID {
	selectors := map[string]bool{}
	for _, id := range drop {
		for _, c := range rows {
			if c.ID == id && c.Selector != "" {
				selectors[c.Selector] = true
			}
		}
	}
	var list []CredentialID
	for _, c := range rows {
		if c.Kind == SCRAMSecret && selectors[c.Selector] {
			list = append(list, c.ID)
		}
	}
	return list
}

// SCRAMOptions are the circumstances of a login by SCRAM.
type SCRAMOptions struct {
	Exchange scram.Options
	Peer     Peer
}

// SCRAM is one login by SCRAM-SHA-256 or SCRAM-SHA-256-PLUS, for one goroutine. It
// holds nothing that needs closing.
type SCRAM struct {
	s        *Service
	exchange *scram.Exchange
	peer     Peer

	mac  seal.AddressMAC
	row  Account
	rows []Credential

	key    [scram.KeySize]byte // the ClientKey, once it is proven
	proven Credential          // its row
	parent Credential          // the generated secret that it is of
}

// SCRAM begins a login.
func (s *Service) SCRAM(o SCRAMOptions) *SCRAM {
	return &SCRAM{s: s, exchange: scram.New(o.Exchange), peer: o.Peer}
}

// First takes the client's first message and returns the server's. An account that
// is not there, or has no such credential, is answered like every other. Errors:
// those of scram.Exchange.Begin, ErrClosed.
func (x *SCRAM) First(ctx context.Context, message []byte) ([]byte, error) {
	if x.s.closed() {
		return nil, ErrClosed
	}
	user, err := x.exchange.Begin(message)
	if err != nil {
		return nil, err
	}
	if address, err := x.s.userAddress(user); err == nil {
		user = address.Key()
	} // else it is nobody's address, and goes the way of one that is unknown
	x.mac = x.s.key.AddressMAC(user)
	if err := x.find(ctx); err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	salt := x.s.fakeSalt(user)
	if len(x.rows) > 0 {
		salt = scramSalt(x.rows)
	}
	return x.exchange.Challenge(salt[:], scram.Iterations), nil
}

// find reads the account and its credentials, with the same work whether there is
// one or not. It leaves rows empty for whoever has none of SCRAM.
func (x *SCRAM) find(ctx context.Context) (err error) {
	if x.row, err = x.s.lookUp(ctx, x.mac); err != nil {
		return err
	}
	rows, err := x.s.store.Credentials(ctx, x.row.ID)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return err
	}
	addresses, err := x.s.store.Addresses(ctx, x.row.ID)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return err
	}
	first := len(addresses) > 0 && addresses[0].MAC == x.mac
	for _, c := range rows {
		if first && c.Kind == SCRAMSecret {
			x.rows = rows
		}
	}
	return nil
}

// fakeSalt is the salt of an address that has none.
func (s *Service) fakeSalt(address string) (salt [scram.SaltSize]byte) {
	mac := s.key.AddressMAC("scram salt\x00" + address) // no address has a NUL
	copy(salt[:], mac[:])
	return salt
}

// Final takes the client's final message and returns the server's, which proves to
// the client that the server knew the secret. Errors: ErrAuth, ErrThrottled, and
// those of scram.Exchange.Finish. Tries are delayed as those of Service.Login are.
func (x *SCRAM) Final(ctx context.Context, message []byte) ([]byte, error) {
	if err := x.exchange.Finish(message); err != nil {
		return nil, err
	}
	keys := []string{throttleKey("login", string(x.mac[:]), "scram")}
	if x.peer != "" {
		keys = append(keys, peerKey(x.peer))
	}
	if err := x.s.throttle.wait(ctx, keys...); err != nil {
		return nil, err
	}
	server, err := x.prove()
	x.s.throttle.count(err, keys...)
	return server, err
}

// prove finds the secret that the client has.
func (x *SCRAM) prove() ([]byte, error) {
	if _, ok := x.exchange.Prove(scram.Keys{}); ok { // work for whoever has no rows
		return nil, ErrAuth
	}
	for _, c := range x.rows {
		if c.Kind != SCRAMSecret {
			continue
		}
		v, err := parseSCRAMVerifier(c.Verifier)
		if err != nil {
			return nil, fmt.Errorf("%w: credential of account %s: %w", ErrCorrupt, x.row.ID, err)
		}
		if key, ok := x.exchange.Prove(v.keys); ok {
			return x.exchange.Signature(v.keys), x.take(c, key)
		}
	}
	return nil, ErrAuth
}

// take notes which secret was proven. The session will be that of the secret, and
// end with it.
func (x *SCRAM) take(c Credential, key [scram.KeySize]byte) error {
	for _, parent := range x.rows {
		if parent.Selector == c.Selector && (parent.Kind == MainSecret || parent.isDevice()) {
			x.key, x.proven, x.parent = key, c, parent
			return nil
		}
	}
	return ErrAuth
}

// Open opens the session, when the client has taken the server's final message.
// Errors: ErrAuth before that, ErrDisabled, ErrClosed.
func (x *SCRAM) Open(ctx context.Context) (*Session, error) {
	if x.proven.ID == 0 {
		return nil, ErrAuth
	}
	defer clear(x.key[:])
	session, err := x.open(ctx)
	for n := 1; n < rotations && errors.Is(err, errRotated); n++ {
		if err = x.findAgain(ctx); err == nil {
			session, err = x.open(ctx)
		}
	}
	return session, notTwice(err)
}

// findAgain reads the account and its credentials once more.
func (x *SCRAM) findAgain(ctx context.Context) error {
	if err := x.find(ctx); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	i := slices.IndexFunc(x.rows, func(c Credential) bool { return c.ID == x.proven.ID })
	if i < 0 {
		return ErrAuth
	}
	return x.take(x.rows[i], x.key)
}

func (x *SCRAM) open(ctx context.Context) (*Session, error) {
	owner := x.s.owner(x.row.ID, x.row.Key.Generation)
	kdf, err := seal.ParseKDF(x.proven.KDF)
	if err != nil {
		return nil, fmt.Errorf("%w: credential of account %s: %w", ErrCorrupt, x.row.ID, err)
	}
	f, err := kdf.ClientKey(x.key[:])
	if err != nil {
		return nil, fmt.Errorf("%w: credential of account %s: %w", ErrCorrupt, x.row.ID, err)
	}
	defer f.Wipe()
	root, err := x.proven.unwrap(&f, owner)
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return x.s.enter(ctx, x.row, &root, x.parent, x.s.ring.token(x.mac, "scram "+string(x.key[:])))
}

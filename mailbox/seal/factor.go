package seal

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strconv"

	"golang.org/x/crypto/argon2"
)

// Verifier is what a credential's row keeps to check a login by. Nothing can be
// opened with it.
type Verifier [32]byte

// Factor is what a KDF makes of a login's input: a part that proves the login, one
// that opens the Root, and one for the key pair to which a new Root is handed. It is
// as secret as the input.
type Factor struct {
	auth [32]byte
	kek  [32]byte
	pair [32]byte
}

// Secret makes the Factor of a generated secret. It takes some microseconds.
// It fails with ErrKDF if k is for another kind of credential.
func (k KDF) Secret(s Secret) (Factor, error) {
	if err := k.want(bySecret); err != nil {
		return Factor{}, err
	}
	return newFactor(s.symbols[:], k.salt[:], "secret"), nil
}

// Password makes the Factor of a chosen password, by Argon2id. The password is
// taken byte by byte: preparing it (RFC 8265) is the caller's part. It fails
// with ErrKDF if k is for another kind of credential.
func (k KDF) Password(password string) (Factor, error) {
	if err := k.want(byPassword); err != nil {
		return Factor{}, err
	}
	p := k.params
	key := argon2.IDKey([]byte(password), k.salt[:], p.Time, p.MemoryKiB, p.Threads, 32)
	defer clear(key)
	return newFactor(key, k.salt[:], "password"), nil
}

// ClientKey makes the Factor of a SCRAM ClientKey (RFC 5802, 3), which the
// server learns at each login and doesn't store. The SCRAM exchange has proven
// it by then. It fails with ErrKDF if k is for another kind of credential.
func (k KDF) ClientKey(key []byte) (Factor, error) {
	if err := k.want(byClientKey); err != nil {
		return Factor{}, err
	}
	return newFactor(key, k.salt[:], "clientkey"), nil
}

func (k KDF) want(m method) error {
	if k.method != m {
		return fmt.Errorf("seal: credential is not of the kind that was proven: %w", ErrKDF)
	}
	return nil
}

func newFactor(input, salt []byte, label string) Factor {
	d := newDeriver(input, salt)
	return Factor{
		auth: [32]byte(d.key("auth " + label)),
		kek:  [32]byte(d.key("kek " + label)),
		pair: [32]byte(d.key("pair " + label)),
	}
}

// Verifier returns what the credential's row keeps.
func (f *Factor) Verifier() Verifier {
	return sha256.Sum256(f.auth[:])
}

// Verify reports, in constant time, whether the login behind f is the one that
// v was made from.
func (f *Factor) Verify(v []byte) bool {
	own := f.Verifier()
	return subtle.ConstantTimeCompare(own[:], v) == 1
}

// WrapRoot seals the Root for one credential of its owner.
func (f *Factor) WrapRoot(owner Owner, credential int64, root *Root) []byte {
	return sealBox(newBoxCipher(f.kek[:]), rootAt(owner, credential), root[:])
}

// UnwrapRoot opens the Root in the row of that credential, whether it was wrapped or
// handed over. Errors: ErrOpen, ErrVersion.
func (f *Factor) UnwrapRoot(owner Owner, credential int64, part []byte) (Root, error) {
	c := rootAt(owner, credential)
	open := f.openWrapped
	if len(part) == handedSize {
		c, open = handedAt(owner, credential), f.openHanded
	}
	b, err := open(owner, credential, part)
	if err != nil {
		return Root{}, err
	}
	defer clear(b)
	if len(b) != len(Root{}) {
		return Root{}, c.fail(ErrOpen)
	}
	return Root(b), nil
}

// openWrapped opens what WrapRoot sealed.
func (f *Factor) openWrapped(owner Owner, credential int64, part []byte) ([]byte, error) {
	return openBox(newBoxCipher(f.kek[:]), rootAt(owner, credential), nil, part)
}

// Wipe overwrites the Factor. See the package comment for what that is worth.
func (f *Factor) Wipe() { *f = Factor{} }

func rootAt(owner Owner, credential int64) coordinate {
	return coordinate{kind: kindRoot, owner: owner, extra: strconv.FormatInt(credential, 10)}
}

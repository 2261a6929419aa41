package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/kem/xwing"
)

// Root is the secret from which every key of an account follows. Whoever has
// it reads the account; it leaves a process only wrapped by a Factor.
type Root [32]byte

// NewRoot returns a random Root.
func NewRoot() Root {
	var r Root
	rand.Read(r[:])
	return r
}

// Wipe overwrites the Root. See the package comment for what that is worth.
func (r *Root) Wipe() { clear(r[:]) }

// PrivateKey expands the half of the account's key pair that opens arriving
// mail. It takes some 0.2 ms and keeps 8 KiB, while the Root is 32 bytes: hold
// the Root, and expand while there is mail to open. Safe for concurrent use.
func (r *Root) PrivateKey() PrivateKey {
	k, err := kem.DeriveKeyPair(newDeriver(r[:], nil).key("kem"))
	if err != nil {
		panic("restante: internal error: derive key pair: " + err.Error())
	}
	return PrivateKey{k}
}

// Keys are the symmetric keys of one account and generation, ready for use.
// They cost about 10 µs and 6 KiB, and are safe for concurrent use.
type Keys struct {
	owner Owner

	mailbox cipher.AEAD // wraps DEKs, stage 1
	names   nameKeys
	words   nameKeys
	notes   cipher.AEAD
	pages   cipher.AEAD
	entries []byte
	emails  []byte
	search  [32]byte
}

// Keys derives the symmetric keys. The owner's Generation must be that of r.
func (r *Root) Keys(owner Owner) *Keys {
	d := newDeriver(r[:], nil)
	return &Keys{
		owner:   owner,
		mailbox: newBoxCipher(d.key("mailbox")),
		names:   newNameKeys(d, "names", kindName),
		words:   newNameKeys(d, "keywords", kindKeyword),
		notes:   newBoxCipher(d.key("notes")),
		pages:   newBoxCipher(d.key("pages")),
		entries: d.key("metadata mac"),
		emails:  d.key("emailid"),
		search:  [32]byte(d.key("search")),
	}
}

// Owner returns whose keys these are.
func (k *Keys) Owner() Owner { return k.owner }

// Search returns the key under which a search index of the account is sealed.
func (k *Keys) Search() [32]byte { return k.search }

// EmailKey returns the key that EmailIDs are made with, which an account keeps for
// life: clients know messages by them.
func (k *Keys) EmailKey() [32]byte { return [32]byte(k.emails) }

// SetEmailKey has k make EmailIDs as the account's keys of an earlier generation did.
// It must be called before others use k.
func (k *Keys) SetEmailKey(key [32]byte) { k.emails = key[:] }

// EmailID returns the identity that IMAP shows for a blob (RFC 8474, 5.1).
// Copies of a message have it in common. Without the keys it can't be linked
// to the blob on disk.
func (k *Keys) EmailID(blob BlobID) [16]byte {
	m := hmac.New(sha256.New, k.emails)
	m.Write(blob[:])
	return [16]byte(m.Sum(nil))
}

// noteStep is the step to which notes are padded.
const noteStep = 64

// SealNote seals a small thing that belongs to the account and to no message,
// such as an IMAP METADATA value or the label of a credential. The label says
// what it is and where it is kept; a note opens under its own label only.
func (k *Keys) SealNote(label string, content []byte) []byte {
	return sealPadded(k.notes, k.note(label), noteStep, content)
}

// OpenNote opens what SealNote sealed under the same label. Errors: ErrOpen,
// ErrVersion.
func (k *Keys) OpenNote(label string, part []byte) ([]byte, error) {
	return openPadded(k.notes, k.note(label), noteStep, part)
}

func (k *Keys) note(label string) coordinate {
	return coordinate{kind: kindNote, owner: k.owner, extra: label}
}

// kem is the one key encapsulation mechanism of format 1.
var kem = hpke.MLKEM768X25519()

const (
	// PublicKeySize is the size of an encoded PublicKey.
	PublicKeySize = xwing.PublicKeySize

	// hybridSize is the size of the key that kem encapsulates.
	hybridSize = xwing.CiphertextSize
)

// PublicKey is the half of an account's key pair to which arriving mail is
// sealed. It is safe for concurrent use.
type PublicKey struct{ k *xwing.PublicKey }

// ParsePublicKey reads what PublicKey.Bytes returned, and refuses a key with which no
// secret can be agreed on. It takes about 60 µs; keep the PublicKey if more mail is to
// come.
func ParsePublicKey(b []byte) (PublicKey, error) {
	k, err := parseHybrid(b)
	if err != nil {
		return PublicKey{}, fmt.Errorf("seal: parse public key of %d bytes: %v", len(b), err)
	}
	return PublicKey{k}, nil
}

func parseHybrid(b []byte) (*xwing.PublicKey, error) {
	if len(b) != PublicKeySize {
		return nil, fmt.Errorf("it should have %d", PublicKeySize)
	}
	k := new(xwing.PublicKey)
	if err := k.Unpack(b); err != nil {
		return nil, err
	}
	// RFC 7748, 6.1: with a point of small order the secret is zero, whatever the
	// other side's key. Encapsulating does not look.
	var shared, secret x25519.Key
	point := x25519.Key(b[PublicKeySize-x25519.Size:])
	if !x25519.Shared(&shared, &secret, &point) {
		return nil, errors.New("a point of small order")
	}
	return k, nil
}

// Bytes returns the PublicKeySize bytes that ParsePublicKey reads.
func (p PublicKey) Bytes() []byte {
	b := make([]byte, PublicKeySize)
	p.k.Pack(b)
	return b
}

// PrivateKey opens mail that was sealed to its PublicKey. It is safe for
// concurrent use.
type PrivateKey struct{ k hpke.PrivateKey }

// PublicKey returns the public half.
func (p PrivateKey) PublicKey() PublicKey {
	k, err := parseHybrid(p.k.PublicKey().Bytes())
	if err != nil {
		panic("restante: internal error: public half of a key: " + err.Error())
	}
	return PublicKey{k}
}

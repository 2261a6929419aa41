package seal

import (
	"crypto/rand"
	"errors"
)

// DEK holds the keys of one message: the first half seals its envelope data,
// the second half its body.
//
// The two could as well be derived from 32 bytes by HKDF. On an AMD EPYC, that
// would cost each line of a listing 0.9 µs of CPU time and 11 allocations, where
// all the rest takes 1.4 µs and 3 (BenchmarkListing); 32 more random bytes per
// message cost nothing but their place.
type DEK [64]byte

// Wipe overwrites the DEK. See the package comment for what that is worth.
func (d *DEK) Wipe() { clear(d[:]) }

func (d *DEK) envelope() []byte { return d[:32] }
func (d *DEK) body() []byte     { return d[32:] }

// Message names one blob and holds the keys to it.
type Message struct {
	Owner Owner
	Blob  BlobID
	DEK   DEK
}

// NewMessage returns a Message with a new DEK and a new BlobID.
func NewMessage(owner Owner) Message {
	m := Message{Owner: owner, Blob: NewBlobID()}
	rand.Read(m.DEK[:])
	return m
}

// The sizes of a sealed DEK.
const (
	Key0Size = headerSize + hybridSize + len(DEK{}) + tagSize
	Key1Size = boxOverhead + len(DEK{})
)

// SealKey0 seals the message's DEK to the account's public key, which must be
// of the generation in m.Owner.
func (m *Message) SealKey0(pub PublicKey) ([]byte, error) {
	c := m.at(kindKey0)
	part, err := pub.sealInfo(appendHeader(make([]byte, 0, Key0Size), m.Owner.Generation), c.bytes(), m.DEK[:])
	if err != nil {
		return nil, c.fail(err)
	}
	return part, nil
}

// OpenKey0 opens what SealKey0 sealed for that owner and blob. Errors: ErrOpen,
// ErrVersion.
func (p PrivateKey) OpenKey0(owner Owner, blob BlobID, part []byte) (Message, error) {
	m := Message{Owner: owner, Blob: blob}
	c := m.at(kindKey0)
	rest, err := checkHeader(c, part)
	if err != nil {
		return Message{}, err
	}
	dek, err := p.openInfo(c.bytes(), rest)
	if err != nil || len(dek) != len(m.DEK) {
		return Message{}, c.fail(ErrOpen)
	}
	m.DEK = DEK(dek)
	clear(dek)
	return m, nil
}

// errNoPlace: a caller asked for stage 1 without saying where the message is.
var errNoPlace = errors.New("stage 1 needs a mailbox and a UID")

// SealKey1 wraps the message's DEK under the mailbox key and binds it to its
// place. It fails for a zero Place and for a message of another owner.
func (k *Keys) SealKey1(m *Message, place Place) ([]byte, error) {
	c := m.at(kindKey1)
	c.place = place
	if place.Mailbox == 0 || place.UID == 0 {
		return nil, c.fail(errNoPlace)
	}
	if m.Owner != k.owner {
		return nil, c.fail(errors.New("the mailbox key is of another account or generation"))
	}
	return sealBox(k.mailbox, c, m.DEK[:]), nil
}

// OpenKey1 opens what SealKey1 wrapped for that blob and place. Errors:
// ErrOpen, ErrVersion.
func (k *Keys) OpenKey1(blob BlobID, place Place, part []byte) (Message, error) {
	m := Message{Owner: k.owner, Blob: blob}
	c := m.at(kindKey1)
	c.place = place
	if len(part) != Key1Size {
		return Message{}, c.fail(ErrOpen)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if _, err := openBox(k.mailbox, c, s.dek[:0], part); err != nil {
		return Message{}, err
	}
	m.DEK = s.dek
	s.dek.Wipe()
	return m, nil
}

// envelopeStep is the step to which envelope data is padded.
const envelopeStep = 256

// SealEnvelope seals the message's envelope data. The zero Place is that of
// arriving mail (stage 0); any other binds the data to where the message is
// (stage 1). Each call uses a nonce of its own, so that one DEK may seal
// envelope data again at re-wrap, COPY and MOVE.
func (m *Message) SealEnvelope(place Place, data []byte) []byte {
	return sealPadded(newBoxCipher(m.DEK.envelope()), m.envelopeAt(place), envelopeStep, data)
}

// OpenEnvelope opens what SealEnvelope sealed for the same Place. Errors:
// ErrOpen, ErrVersion.
func (m *Message) OpenEnvelope(place Place, part []byte) ([]byte, error) {
	return openPadded(newBoxCipher(m.DEK.envelope()), m.envelopeAt(place), envelopeStep, part)
}

func (m *Message) at(k kind) coordinate {
	return coordinate{kind: k, owner: m.Owner, blob: m.Blob}
}

func (m *Message) envelopeAt(place Place) coordinate {
	c := m.at(kindEnvelope0)
	if place != (Place{}) {
		c.kind, c.place = kindEnvelope1, place
	}
	return c
}

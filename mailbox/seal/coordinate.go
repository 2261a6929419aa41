package seal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// StoreID names one store, that is one database of one relay. It is random and
// keeps parts of one store from opening in another.
type StoreID [16]byte

// NewStoreID returns a random StoreID.
func NewStoreID() StoreID { return StoreID(randomBytes(16)) }

// String returns the identifier in hexadecimal.
func (id StoreID) String() string { return hex.EncodeToString(id[:]) }

// BlobID names one message's content. Copies of a message share it.
type BlobID [16]byte

// NewBlobID returns a random BlobID.
func NewBlobID() BlobID { return BlobID(randomBytes(16)) }

// String returns the identifier in hexadecimal.
func (id BlobID) String() string { return hex.EncodeToString(id[:]) }

// Owner says whose a part is: an account of a store, and which generation of
// the account's Root it is sealed under.
type Owner struct {
	Store      StoreID
	Account    int64
	Generation uint32
}

// Place is where an owner's session has found a message. The zero Place is
// that of a message no session has bound yet (stage 0).
type Place struct {
	Mailbox int64
	UID     uint32
}

// kind tells the parts apart, so that none opens as another.
type kind byte

// The kinds. Their numbers are part of the format.
const (
	kindKey0 kind = iota + 1
	kindKey1
	kindEnvelope0
	kindEnvelope1
	kindBody
	kindRoot
	kindName
	kindKeyword
	kindNote
	kindDirectory
	kindQueue
	kindPushToken
	kindSpool
	kindHanded
	kindPage
)

var kindNames = [...]string{
	kindKey0:      "key (stage 0)",
	kindKey1:      "key (stage 1)",
	kindEnvelope0: "envelope (stage 0)",
	kindEnvelope1: "envelope (stage 1)",
	kindBody:      "body",
	kindRoot:      "root secret",
	kindName:      "mailbox name",
	kindKeyword:   "keyword",
	kindNote:      "note",
	kindDirectory: "directory entry",
	kindQueue:     "queue row",
	kindPushToken: "push token",
	kindSpool:     "spool",
	kindHanded:    "root secret handed over",
	kindPage:      "page",
}

// coordinate says which part of which row a sealed part is. Fields that have
// no meaning for a kind stay zero.
type coordinate struct {
	kind  kind
	owner Owner
	blob  BlobID
	place Place
	// extra is any further identity: a credential's number, a name's MAC, a
	// note's label. It stands last, so that no length is needed.
	extra string
}

// coordinateSize is the size of an encoded coordinate without extra.
const coordinateSize = 1 + 1 + 16 + 8 + 16 + 4 + 8 + 4

// append appends the encoding of c, which is the additional data of its part:
// format, kind, store, account, blob, generation, mailbox, UID, extra.
func (c *coordinate) append(b []byte) []byte {
	b = append(b, format, byte(c.kind))
	b = append(b, c.owner.Store[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.owner.Account))
	b = append(b, c.blob[:]...)
	b = binary.BigEndian.AppendUint32(b, c.owner.Generation)
	b = binary.BigEndian.AppendUint64(b, uint64(c.place.Mailbox))
	b = binary.BigEndian.AppendUint32(b, c.place.UID)
	return append(b, c.extra...)
}

// bytes returns the encoding of c in a slice of its own.
func (c *coordinate) bytes() []byte {
	return c.append(make([]byte, 0, coordinateSize+len(c.extra)))
}

// fail wraps err with what c is. It says nothing secret: extra may be a label
// and stays out.
func (c *coordinate) fail(err error) error {
	s := kindNames[c.kind]
	if c.owner != (Owner{}) {
		s += fmt.Sprintf(" of account %d, generation %d", c.owner.Account, c.owner.Generation)
	}
	if c.blob != (BlobID{}) {
		s += ", blob " + c.blob.String()
	}
	if c.place != (Place{}) {
		s += fmt.Sprintf(", mailbox %d, UID %d", c.place.Mailbox, c.place.UID)
	}
	return fmt.Errorf("seal: %s: %w", s, err)
}

// randomBytes returns n random bytes. crypto/rand does not fail: it ends the
// process where the system has no randomness.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

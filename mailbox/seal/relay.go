package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// AddressMAC stands for an address in the store. With 128 bits, two of a
// billion addresses share a MAC with a chance below 2^-68, and finding one that
// shares another's takes the relay key; the index it leads is half the size.
type AddressMAC [16]byte

// WKDMAC stands for the hashed local part by which a Web Key Directory is asked
// (draft-koch-openpgp-webkey-service, 3.1).
type WKDMAC [16]byte

// FingerprintMAC stands for the fingerprint of a published certificate.
type FingerprintMAC [16]byte

// SenderMAC stands for a sender whom one account doesn't want to hear. Those of two
// accounts can't be compared.
type SenderMAC [16]byte

// DeliveryID tells a retried delivery from a new one.
type DeliveryID [16]byte

// TokenMAC stands for a device's push token in the store.
type TokenMAC [16]byte

// KeyCheck tells whether two nodes hold the same relay key for a store.
type KeyCheck [16]byte

// RelayKey holds the keys of one relay, derived from one secret that lies
// outside its store. It reads what the relay must read without its users. It is
// safe for concurrent use.
type RelayKey struct {
	store     StoreID
	check     []byte
	addresses []byte
	wkd       []byte
	print     []byte
	senders   []byte
	tickets   []byte
	delivery  []byte
	tokens    []byte
	boxes     [len(duties)]cipher.AEAD
}

// Duty says what a RelayKey seals. A part opens under its own duty only.
type Duty int

// The duties of a RelayKey.
const (
	Directory Duty = iota // an address and its account
	Queue                 // a row of the outbound queue
	PushToken             // a device's push token
)

// duties has the kind and the key label of each Duty.
var duties = [...]struct {
	kind  kind
	label string
}{
	Directory: {kindDirectory, "relay directory"},
	Queue:     {kindQueue, "relay queue"},
	PushToken: {kindPushToken, "relay push token"},
}

// RelaySecretSize is the size of the secret that NewRelayKey takes.
const RelaySecretSize = 32

// NewRelayKey derives the keys of the relay that keeps the given store.
func NewRelayKey(secret [RelaySecretSize]byte, store StoreID) *RelayKey {
	keys := newDeriver(secret[:], nil)
	k := &RelayKey{
		store:     store,
		check:     keys.key("relay check"),
		addresses: keys.key("relay address mac"),
		wkd:       keys.key("relay wkd mac"),
		print:     keys.key("relay fingerprint mac"),
		senders:   keys.key("relay sender mac"),
		tickets:   keys.key("relay sign-up tickets"),
		delivery:  keys.key("relay delivery mac"),
		tokens:    keys.key("relay push token mac"),
	}
	for d, v := range duties {
		k.boxes[d] = newBoxCipher(keys.key(v.label))
	}
	return k
}

// Check returns a value to keep in the store. A node whose Check differs has
// another key, and must not start. It reveals nothing of the key.
func (k *RelayKey) Check() KeyCheck {
	return KeyCheck(mac(k.check, k.store[:]))
}

// AddressMAC returns what stands for an address, given in canonical form.
func (k *RelayKey) AddressMAC(address string) AddressMAC {
	return AddressMAC(mac(k.addresses, []byte(address)))
}

// WKDMAC returns what stands for an address under which a Web Key Directory is
// asked: the hash of its local part, in the directory's own encoding, and its
// domain, in canonical form.
func (k *RelayKey) WKDMAC(hash, domain string) WKDMAC {
	return WKDMAC(mac(k.wkd, []byte(hash), []byte(domain)))
}

// FingerprintMAC returns what stands for the fingerprint of a certificate.
func (k *RelayKey) FingerprintMAC(fingerprint string) FingerprintMAC {
	return FingerprintMAC(mac(k.print, []byte(fingerprint)))
}

// SenderMAC returns what stands for a sender, given in canonical form, to one account.
func (k *RelayKey) SenderMAC(account int64, sender string) SenderMAC {
	return SenderMAC(mac(k.senders, binary.BigEndian.AppendUint64(nil, uint64(account)), []byte(sender)))
}

// TicketSecret returns the secret with which all nodes of the relay sign the tickets
// of signing up. It is the caller's.
func (k *RelayKey) TicketSecret() []byte { return bytes.Clone(k.tickets) }

// DeliveryID returns the identity of one message to one recipient. The digest
// is that of the message from the first header on that no relay changes.
func (k *RelayKey) DeliveryID(from, to, messageID string, digest [32]byte) DeliveryID {
	return DeliveryID(mac(k.delivery, []byte(from), []byte(to), []byte(messageID), digest[:]))
}

// TokenMAC returns what stands for a push token of an account. One token of two
// accounts has two MACs.
func (k *RelayKey) TokenMAC(account int64, token string) TokenMAC {
	return TokenMAC(mac(k.tokens, binary.BigEndian.AppendUint64(nil, uint64(account)), []byte(token)))
}

// mac returns the first half of the HMAC-SHA256 of fields. Each is preceded by
// its length, so that bytes can't pass from one field to the next.
func mac(key []byte, fields ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, f := range fields {
		writeField(m, f)
	}
	return m.Sum(nil)[:16]
}

func writeField(h hash.Hash, f []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(f)))
	h.Write(n[:])
	h.Write(f)
}

// relayStep is the step to which the relay's parts are padded.
const relayStep = 64

// Seal seals a row's content. The row is what names it in the store, such as
// its AddressMAC or its number: the part opens for no other.
func (k *RelayKey) Seal(d Duty, row, content []byte) []byte {
	return sealPadded(k.boxes[d], k.at(d, row), relayStep, content)
}

// Open opens what Seal sealed for that duty and row. Errors: ErrOpen,
// ErrVersion.
func (k *RelayKey) Open(d Duty, row, part []byte) ([]byte, error) {
	return openPadded(k.boxes[d], k.at(d, row), relayStep, part)
}

func (k *RelayKey) at(d Duty, row []byte) coordinate {
	return coordinate{kind: duties[d].kind, owner: Owner{Store: k.store}, extra: string(row)}
}

package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/restante/restante/mailbox"
)

// A ticket is worth one account to whoever waits until it is ready, or does the
// work that it asks for. It is signed and given to the visitor: of tickets that
// are out, the relay remembers nothing.
type ticket struct {
	ready   time.Time // when it is good without work; expires if never
	expires time.Time
	bits    int // of work, see zeroBits
	nonce   nonce
}

// nonce tells tickets apart.
type nonce [12]byte

// The parts of a ticket as text: version, ready, expires, bits, nonce, MAC. These
// are 48 bytes and 64 characters, just one block of SHA-256, so that the script
// that does the work has to hash the ticket only once.
const (
	ticketVersion = 1
	ticketBody    = 1 + 8 + 8 + 1 + len(nonce{})
	ticketMAC     = 18
	ticketText    = (ticketBody + ticketMAC) / 3 * 4
)

// newNonce returns a random nonce.
func newNonce() (n nonce) {
	_, _ = rand.Read(n[:]) // never fails (crypto/rand)
	return n
}

// signer signs tickets and knows its own.
type signer struct{ key []byte }

// sign returns the ticket as text. Times are cut to seconds.
func (s signer) sign(t ticket) string {
	b := make([]byte, 0, ticketBody+ticketMAC)
	b = append(b, ticketVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(t.ready.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.expires.Unix()))
	b = append(b, byte(t.bits))
	b = append(b, t.nonce[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, s.mac(b)...))
}

// open reads a ticket of our own. Anything else is errTicket.
func (s signer) open(text string) (ticket, error) {
	if len(text) != ticketText {
		return ticket{}, errTicket
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || b[0] != ticketVersion || !hmac.Equal(b[ticketBody:], s.mac(b[:ticketBody])) {
		return ticket{}, errTicket
	}
	return ticket{
		ready:   time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0),
		expires: time.Unix(int64(binary.BigEndian.Uint64(b[9:])), 0),
		bits:    int(b[17]),
		nonce:   nonce(b[18:ticketBody]),
	}, nil
}

// spent names the ticket among what was used once.
func (t ticket) spent() mailbox.SpentToken {
	return sha256.Sum256(append([]byte("restante/web/1 spent ticket "), t.nonce[:]...))
}

func (s signer) mac(body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte("restante/web/1 ticket "))
	m.Write(body)
	return m.Sum(nil)[:ticketMAC]
}

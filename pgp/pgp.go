// Package pgp is Restante's OpenPGP: keys and certificates, messages, PGP/MIME with protected headers, Autocrypt, and
// Inspect, the gate that tells an encrypted mail from any other.
//
// It stands on go-crypto's openpgp/v2 and says only what that leaves open: which keys to encrypt to, which format for
// which set of recipients, what a mail must look like, what counts as verified, and how much a stranger's message may
// cost us.
//
// # Two halves
//
// Servers hold no private key. They use what needs none: Inspect and Inspector, ParseCert, EncryptTo. The files that
// need a private key are key.go, sign.go, decrypt.go, compose.go and open.go; everything in them is for the gateway.
//
//	cert, err := pgp.ParseCert(blob)                      // anyone's certificate, checked once
//	w, err := pgp.EncryptTo(out, []*pgp.Cert{cert}, pgp.EncryptOptions{})
//
//	key, err := pgp.Generate(address, pgp.KeyOptions{})   // the gateway's own
//	err = key.Compose(out, pgp.Draft{…})                  // a whole mail, signed and encrypted
//	opened, err := pgp.Open(spool, mail, pgp.DecryptOptions{Keys: []*pgp.Key{key}, Certs: known})
//
// # Formats
//
// A message is RFC 9580 SEIPDv2 (AES-256, OCB, 64 KiB chunks) if every recipient's certificate says it reads that, else
// SEIPDv1 with AES-256, which RFC 4880 software reads too. Armor always carries its CRC24 and CRLF line ends: GnuPG 2.2
// refuses armor without the checksum when it needs no padding. Nothing is ever compressed, because the size of
// compressed text tells about its content; SEIPDv2 messages are padded to a few sizes instead.
//
// Mail is PGP/MIME (RFC 3156) with header protection (RFC 9788, and the older protected-headers="v1" that Thunderbird
// asks for). Post-quantum subkeys are RFC 9980.
//
// # Concurrency
//
// A Cert and a Key never change after they were made, and may be used by many goroutines at once: parsing one verifies
// every signature in it, so that no later call has anything left to remember.
package pgp

import (
	"crypto"
	"errors"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Outcomes that callers tell apart.
var (
	// ErrBadCert is wrapped by every error about bytes that are no usable certificate or key.
	ErrBadCert = errors.New("not a usable OpenPGP certificate")
	// ErrExpired means a certificate has run out; its owner must renew it.
	ErrExpired = errors.New("the certificate has expired")
	// ErrRevoked means the owner has withdrawn a certificate.
	ErrRevoked = errors.New("the certificate was revoked by its owner")
	// ErrCannotEncrypt means a certificate has no valid encryption key.
	ErrCannotEncrypt = errors.New("the certificate has no key to encrypt to")
)

// sessionCipher is what every message we write is encrypted with. AES-256 costs little more than AES-128 and keeps its
// margin against a quantum search.
const sessionCipher = packet.CipherAES256

// chunkSize of SEIPDv2. 64 KiB is nearly as fast as the library's 256 KiB (162 against 173 MB/s) and needs a third of the
// memory for a short mail (92 against 288 KB).
const chunkSize = 64 << 10

// config returns the library settings for all we do, at the time that now tells (nil: the clock) and with randomness
// from random (nil: the system's).
func config(now func() time.Time, random io.Reader) *packet.Config {
	return &packet.Config{
		Rand:          random,
		Time:          now,
		DefaultHash:   crypto.SHA512,
		DefaultCipher: sessionCipher,
		AEADConfig:    &packet.AEADConfig{DefaultMode: packet.AEADModeOCB, ChunkSize: chunkSize},
	}
}

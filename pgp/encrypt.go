package pgp

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// EncryptOptions are the choices of EncryptTo and of Key.EncryptTo. The zero value writes an armored, padded message
// that every key of every recipient opens.
type EncryptOptions struct {
	// Passphrase, if not empty, opens the message too, or alone if there are no recipients. Software that reads only
	// RFC 4880 cannot use it with recipients that read more.
	Passphrase []byte
	// Generated says that Passphrase has at least 128 bits of chance, so that no costly key derivation is needed.
	Generated bool
	// Anonymous leaves out who the message is for. It is ignored unless every recipient reads SEIPDv2: older software
	// (Sequoia 0.27, Thunderbird 153) fails on a message whose first recipient is anonymous and someone else.
	Anonymous bool
	// PostQuantumOnly writes nothing that a quantum computer opens, to recipients that have a key for that. Without it
	// a recipient's classical keys open the message too, and so does whoever breaks those. Set it for peers known to
	// hold the private half of their ML-KEM subkey: a certificate alone does not prove that.
	PostQuantumOnly bool
	// Binary leaves the ASCII armor out.
	Binary bool

	Now  func() time.Time // decides which keys are valid; nil means the clock
	Rand io.Reader        // nil means the system's randomness
}

// EncryptTo begins a message, unsigned, to the owners of the certificates in to. What is written to the returned writer
// comes out at w encrypted; Close ends the message, and what has reached w without it is useless. If a message cannot
// be encrypted to everybody nothing is written, and the error joins one for each that wraps ErrExpired, ErrRevoked or
// ErrCannotEncrypt.
func EncryptTo(w io.Writer, to []*Cert, o EncryptOptions) (io.WriteCloser, error) {
	return newMessage(w, to, nil, o)
}

// message is an OpenPGP message being written: literal data into a signature, padding, encryption and armor.
type message struct {
	cfg     *packet.Config
	armor   io.WriteCloser // nil when binary
	payload *countingWriter
	literal io.WriteCloser
	sign    *signing // nil when unsigned
	pad     bool
}

// newMessage writes all that stands before the data: armor, encrypted session keys, the head of the encrypted packet
// and, inside that, of the signature and the literal data.
func newMessage(w io.Writer, to []*Cert, signer *packet.PrivateKey, o EncryptOptions) (*message, error) {
	if len(to) == 0 && len(o.Passphrase) == 0 {
		return nil, errors.New("encrypt: no recipient and no passphrase")
	}
	m := &message{cfg: config(o.Now, o.Rand)}
	r, err := gather(to, o.PostQuantumOnly, m.cfg.Now())
	if err != nil {
		return nil, err
	}
	if !o.Binary {
		m.armor = newArmorWriter(w, openpgp.MessageType)
		w = m.armor
	}
	if err := m.encrypt(w, r, o); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	if err := m.begin(signer, r.intended); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return m, nil
}

// encrypt writes a session key for everybody and opens the encrypted packet.
func (m *message) encrypt(w io.Writer, r recipients, o EncryptOptions) error {
	key := make([]byte, sessionCipher.KeySize())
	if _, err := io.ReadFull(m.cfg.Random(), key); err != nil {
		return err
	}
	defer clear(key)
	for _, to := range r.keys {
		hidden := o.Anonymous && r.aead
		err := packet.SerializeEncryptedKeyAEADwithHiddenOption(w, to, sessionCipher, r.aead, key, hidden, m.cfg)
		if err != nil {
			return fmt.Errorf("to key %s: %w", fingerprint(to), err)
		}
	}
	if len(o.Passphrase) > 0 {
		m.cfg.S2KConfig = passphraseCost(o.Generated)
		if err := packet.SerializeSymmetricKeyEncryptedAEADReuseKey(w, key, o.Passphrase, r.aead, m.cfg); err != nil {
			return err
		}
	}
	suite := packet.CipherSuite{Cipher: sessionCipher, Mode: packet.AEADModeOCB}
	body, err := packet.SerializeSymmetricallyEncrypted(w, sessionCipher, r.aead, suite, key, m.cfg)
	m.payload = &countingWriter{w: body}
	m.pad = r.aead // padding is RFC 9580, and Sequoia 0.27 fails on it in older messages
	return err
}

// passphraseCost returns the derivation of a key from a passphrase: Argon2id for those that people choose.
func passphraseCost(generated bool) *s2k.Config {
	if generated {
		return &s2k.Config{S2KMode: s2k.SaltedS2K, PassphraseIsHighEntropy: true}
	}
	return &s2k.Config{S2KMode: s2k.Argon2S2K}
}

// begin opens the signature and the literal data packet. That has no name and no time: they would not be signed.
func (m *message) begin(signer *packet.PrivateKey, intended []*packet.Recipient) error {
	if signer != nil {
		var err error
		if m.sign, err = newSigning(m.payload, signer, intended, m.cfg); err != nil {
			return err
		}
	}
	var err error
	m.literal, err = packet.SerializeLiteral(noClose{m.payload}, true, "", 0)
	return err
}

// Write encrypts b.
func (m *message) Write(b []byte) (int, error) {
	if m.sign != nil {
		m.sign.hash.Write(b)
	}
	return m.literal.Write(b)
}

// Close ends the message.
func (m *message) Close() error {
	if err := m.finish(); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}

func (m *message) finish() error {
	if err := m.literal.Close(); err != nil {
		return err
	}
	if m.sign != nil {
		if err := m.sign.finish(m.payload, m.cfg); err != nil {
			return err
		}
	}
	if m.pad {
		if err := writePadding(m.payload, m.payload.n, m.cfg.Random()); err != nil {
			return err
		}
	}
	if err := m.payload.w.Close(); err != nil {
		return err
	}
	if m.armor != nil {
		return m.armor.Close()
	}
	return nil
}

// countingWriter counts what passes.
type countingWriter struct {
	w io.WriteCloser
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// noClose keeps the end of a packet from ending what it is in.
type noClose struct{ io.Writer }

func (noClose) Close() error { return nil }

package pgp

import (
	"crypto"
	"fmt"
	"hash"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// EncryptTo begins a message like the function of that name, signed by k. The signature names the recipients, so that
// none of them can pass the message on to somebody else as if it had been meant for them. The sender's own certificate
// is not added: put it in to, or the sender cannot read the message later.
func (k *Key) EncryptTo(w io.Writer, to []*Cert, o EncryptOptions) (io.WriteCloser, error) {
	signer, err := k.signingKey(config(o.Now, nil).Now())
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return newMessage(w, to, signer, o)
}

// signing is a one-pass signature being made (RFC 9580, 5.4).
type signing struct {
	key  *packet.PrivateKey
	sig  *packet.Signature
	hash hash.Hash
}

// newSigning writes the packet that announces the signature to w.
func newSigning(w io.Writer, key *packet.PrivateKey, to []*packet.Recipient, cfg *packet.Config) (*signing, error) {
	s := &signing{key: key, sig: &packet.Signature{
		Version:            key.Version,
		SigType:            packet.SigTypeBinary,
		PubKeyAlgo:         key.PubKeyAlgo,
		Hash:               crypto.SHA512,
		CreationTime:       cfg.Now(),
		IssuerKeyId:        &key.KeyId,
		IssuerKeyVersion:   uint8(key.Version),
		IssuerFingerprint:  key.Fingerprint,
		IntendedRecipients: to,
	}}
	var err error
	if s.hash, err = s.sig.PrepareSign(cfg); err != nil {
		return nil, err
	}
	onePass := &packet.OnePassSignature{
		Version:        3,
		SigType:        s.sig.SigType,
		Hash:           s.sig.Hash,
		PubKeyAlgo:     key.PubKeyAlgo,
		KeyId:          key.KeyId,
		KeyFingerprint: key.Fingerprint,
		Salt:           s.sig.Salt(),
		IsLast:         true,
	}
	if key.Version == 6 {
		onePass.Version = 6
	}
	return s, onePass.Serialize(w)
}

// finish writes the signature to w.
func (s *signing) finish(w io.Writer, cfg *packet.Config) error {
	if err := s.sig.Sign(s.hash, s.key, cfg); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return s.sig.Serialize(w)
}

package pgp

import (
	"bytes"
	"fmt"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// SignatureState is what a message's signature proves.
type SignatureState int

const (
	// Unsigned means there is no signature.
	Unsigned SignatureState = iota
	// UnknownSigner means there is a signature by a key that we have no certificate of.
	UnknownSigner
	// BadSignature means there is a signature that claims a known key and does not hold. Result.Problem says why.
	BadSignature
	// GoodSignature means that the owner of Result.Signer signed exactly this.
	GoodSignature
)

// String returns the state as one word.
func (s SignatureState) String() string {
	return [...]string{"unsigned", "unknown", "bad", "good"}[s]
}

// Result is what is known of a message once it was read to its end.
type Result struct {
	Signature SignatureState
	Signer    Fingerprint // of the certificate that made a good or bad signature, else empty
	SignedAt  time.Time   // of a good signature: its own claim
	Problem   error       // of a bad signature: what is wrong with it

	OpenedBy   Fingerprint // the key that opened the message; empty if a passphrase did
	Recipients int         // how many keys open the message
	Anonymous  int         // how many of those it does not name
	// Misdirected says that the signer named the keys the message was meant for, and OpenedBy is not among them: someone
	// passed on what was said to others.
	Misdirected bool
}

// newResult reads the library's findings, which are complete now.
func newResult(d *openpgp.MessageDetails, e envelope) Result {
	r := Result{Recipients: e.recipients, Anonymous: e.anonymous}
	if d.DecryptedWith.Entity != nil {
		r.OpenedBy = fingerprint(d.DecryptedWith.Entity.PrimaryKey)
	}
	for _, c := range d.SignatureCandidates {
		if state := candidateState(c); state > r.Signature {
			r.Signature = state
			r.take(c)
		}
	}
	r.Misdirected = r.Signature == GoodSignature && r.OpenedBy != "" && misdirected(d)
	return r
}

// candidateState judges one of several signatures: the best of them counts.
func candidateState(c *openpgp.SignatureCandidate) SignatureState {
	switch {
	case c.SignedByEntity == nil:
		return UnknownSigner
	case c.SignatureError == nil && c.SignedBy != nil && c.CorrespondingSig != nil:
		return GoodSignature
	}
	return BadSignature
}

func (r *Result) take(c *openpgp.SignatureCandidate) {
	r.Signer, r.SignedAt, r.Problem = "", time.Time{}, nil
	switch r.Signature {
	case GoodSignature:
		r.Signer = fingerprint(c.SignedByEntity.PrimaryKey)
		r.SignedAt = c.CorrespondingSig.CreationTime
	case BadSignature:
		r.Signer = fingerprint(c.SignedByEntity.PrimaryKey)
		r.Problem = fmt.Errorf("verify signature: %w", c.SignatureError)
	}
}

// misdirected reports whether the valid signature names recipients (RFC 9580, 5.2.3.36) and we are none of them.
func misdirected(d *openpgp.MessageDetails) bool {
	if d.Signature == nil || len(d.Signature.IntendedRecipients) == 0 {
		return false
	}
	own := d.DecryptedWith.Entity.PrimaryKey.Fingerprint
	for _, to := range d.Signature.IntendedRecipients {
		if bytes.Equal(to.Fingerprint, own) {
			return false
		}
	}
	return true
}

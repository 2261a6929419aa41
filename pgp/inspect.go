package pgp

import (
	"io"

	"github.com/restante/restante/internal/mime"
)

// InspectOptions are what the gate has to know of a message besides its octets. The zero value lets through encrypted
// mail only.
type InspectOptions struct {
	// NullSender says that the SMTP envelope has the null sender. Only then does a delivery status report pass, with a
	// short notice, status fields, and of the returned message its header or, if it is encrypted, all of it.
	NullSender bool
	// SecureJoin lets through the one unencrypted mail of Delta Chat's old join protocol, which has a fixed text.
	SecureJoin bool
	// Keep names header fields for mime.Message.Kept.
	Keep []string
}

// Kind is which of the gate's grammars a message fits.
type Kind int

const (
	// Encrypted is an OpenPGP message in PGP/MIME.
	Encrypted Kind = iota + 1
	// Report is a delivery status report.
	Report
	// SecureJoin is a request to join, of the old protocol.
	SecureJoin
)

// Verdict is what the gate found out about a message that passed.
type Verdict struct {
	Kind        Kind
	Recipients  int // session keys encrypted to public keys, in an encrypted message or in a report that returns one
	Passphrases int // session keys encrypted with a passphrase
}

// Inspect reads r to its end and reports whether it is an encrypted mail, or one of the exceptions that o allows.
// A refusal is a *NotEncrypted, for which errors.Is(err, ErrNotEncrypted) holds; any other error is the reader's.
//
// The gate checks the whole message against a grammar: MIME without defects, a multipart/encrypted with nothing outside
// its two parts and nothing in their headers but what mail software puts there, exact armor, exact packets, and data
// that looks like chance. Header fields of the message itself are not its business: which of them go on is policy.
// It cannot prove that a message is encrypted, only that no sentence stands in the clear: whoever wants to can encrypt
// with a key that everybody knows.
func Inspect(r io.Reader, o InspectOptions) error {
	in := NewInspector(o)
	if _, err := io.Copy(in, r); err != nil {
		return err
	}
	_, err := in.Close()
	return err
}

// Inspector is Inspect for a message that comes in pieces. Memory is a few kilobytes whatever the message has, apart
// from its header. It is not safe for concurrent use.
type Inspector struct {
	walker  *mime.Walker
	gate    gate
	message *mime.Message
	err     error
}

// NewInspector returns an Inspector at the beginning of a message.
func NewInspector(o InspectOptions) *Inspector {
	in := &Inspector{gate: gate{options: o}}
	in.walker = mime.NewWalker(mime.Options{Visitor: &in.gate, Keep: o.Keep})
	in.gate.defects = in.walker.Defects
	return in
}

// Write takes the next octets of the message. As soon as the message cannot pass it returns the refusal, and does so
// ever after: the rest need not be read.
func (in *Inspector) Write(b []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.walker.Write(b)
	in.err = asRefusal(err)
	return n, in.err
}

// Close ends the message and returns the verdict, or the refusal.
func (in *Inspector) Close() (Verdict, error) {
	if in.err != nil {
		return Verdict{}, in.err
	}
	m, err := in.walker.Close()
	if err == nil {
		err = in.gate.close(m)
	}
	if err != nil {
		in.err = asRefusal(err)
		return Verdict{}, in.err
	}
	in.message = m
	return in.gate.verdict, nil
}

// Message returns what the same walk found the message to be made of, for storing it: what was inspected is what is
// stored. It is nil until Close has returned a verdict.
func (in *Inspector) Message() *mime.Message { return in.message }

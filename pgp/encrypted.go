package pgp

import (
	"bytes"
	"strings"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/mime"
)

// encrypted is the grammar of an encrypted mail (RFC 3156, 4): a multipart/encrypted of exactly two parts, of which the
// first says "Version: 1" and the second is armored OpenPGP data.
type encrypted struct {
	root     *mime.Part
	parts    int
	version  small
	preamble small
	armor    dearmorer
	packets  packetScanner
	grammar  grammar
}

// small is a body or preamble that has one of a few short values.
type small struct {
	text [128]byte
	n    int
}

// add appends to the text. What does not fit cannot be one of the values, and is refused.
func (s *small) add(b []byte, complaint string) error {
	if s.n+len(b) > len(s.text) {
		return refuse("%s", complaint)
	}
	s.n += copy(s.text[s.n:], b)
	return nil
}

// trimmed returns the text without blanks around it.
func (s *small) trimmed() string { return string(bytes.TrimSpace(s.text[:s.n])) }

const (
	badVersionPart = "the first part of the encrypted message is not exactly Version: 1"
	badPreamble    = "there is text before the first part of the message, outside the encryption"
	badEpilogue    = "there is text after the last part of the message, outside the encryption"
	badParts       = "an encrypted message has exactly two parts: a version and the encrypted data"
)

// newEncrypted checks the header of a multipart/encrypted.
func newEncrypted(root *mime.Part) (*encrypted, error) {
	if err := checkContainer(root); err != nil {
		return nil, err
	}
	e := &encrypted{root: root}
	e.packets.sink = &e.grammar
	e.armor.reset(&e.packets, openpgp.MessageType)
	return e, nil
}

// checkContainer checks the parameters of a multipart/encrypted: its protocol, a boundary that is no sentence, and
// nothing else.
func checkContainer(p *mime.Part) error {
	const protocol = "application/pgp-encrypted"
	if have, _ := p.Params.Get("protocol"); !strings.EqualFold(have, protocol) {
		return refuse("the message is encrypted, but not with OpenPGP: its protocol parameter is not %s", protocol)
	}
	for f := range mime.Fields(p.Header) {
		if f.Is("Content-Type") && hasComment(f) {
			return refuse("the Content-Type of the message has a comment, which is outside the encryption")
		}
	}
	for _, param := range p.Params {
		switch {
		case param.Name == "protocol":
		case param.Name == "boundary" && !strings.Contains(param.Value, " "):
		case param.Name == "charset" && knownCharset(param.Value):
		default:
			return refuse("the Content-Type of the message has a parameter that the gate does not know")
		}
	}
	return nil
}

func (e *encrypted) header(p *mime.Part) error {
	if p.IsMultipart() || p.IsMessage() {
		return refuse(badParts)
	}
	e.parts++
	switch e.parts {
	case 1:
		return checkPartHeader(p, "application/pgp-encrypted")
	case 2:
		return checkPartHeader(p, "application/octet-stream")
	}
	return refuse(badParts)
}

func (e *encrypted) body(_ *mime.Part, b []byte) error {
	if e.parts == 1 {
		return e.version.add(b, badVersionPart)
	}
	_, err := e.armor.Write(b)
	return err
}

// outside takes what stands around the parts. Blanks behind a delimiter are MIME's padding, and the walk reports
// anything else there as a defect.
func (e *encrypted) outside(_ *mime.Part, place mime.Place, b []byte) error {
	switch {
	case place == mime.Preamble:
		return e.preamble.add(b, badPreamble)
	case blank(b):
		return nil
	}
	return refuse(badEpilogue)
}

func (e *encrypted) close() (Verdict, error) {
	switch {
	case e.parts != 2:
		return Verdict{}, refuse(badParts)
	case e.version.trimmed() != "Version: 1":
		return Verdict{}, refuse(badVersionPart)
	case !knownPreamble(e.preamble.trimmed()):
		return Verdict{}, refuse(badPreamble)
	}
	for _, end := range []func() error{e.armor.Close, e.packets.Close, e.grammar.close} {
		if err := end(); err != nil {
			return Verdict{}, err
		}
	}
	v := e.grammar.Verdict
	v.Kind = Encrypted
	return v, nil
}

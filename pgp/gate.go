package pgp

import (
	"github.com/restante/restante/internal/mime"
)

// gate is the visitor of the walk: it chooses a grammar by the header of the message, and lets that judge the rest.
type gate struct {
	options InspectOptions
	defects func() []mime.Defect // found so far
	rules   rules
	verdict Verdict
}

// rules is the grammar of one kind of message. Its methods are those of mime.Visitor, without the root's header; close
// is called when the message has ended and was complete in every grammar.
type rules interface {
	header(*mime.Part) error
	body(*mime.Part, []byte) error
	outside(*mime.Part, mime.Place, []byte) error
	close() (Verdict, error)
}

// Header implements mime.Visitor.
func (g *gate) Header(p *mime.Part) error {
	if err := checkDefects(g.defects()); err != nil {
		return err
	}
	if g.rules != nil {
		return g.rules.header(p)
	}
	var err error
	g.rules, err = g.choose(p)
	return err
}

// choose returns the grammar for a message with this header.
func (g *gate) choose(root *mime.Part) (rules, error) {
	switch {
	case root.Is("multipart/encrypted"):
		return newEncrypted(root)
	case root.Is("multipart/report") && g.options.NullSender:
		return newReport(root)
	case g.options.SecureJoin && isJoin(root):
		return newJoin(root)
	}
	return nil, whyPlain(root)
}

// whyPlain says what a message is that is not multipart/encrypted.
func whyPlain(root *mime.Part) error {
	switch {
	case root.Is("multipart/signed"):
		return refuse("the message is signed, but not encrypted; turn on OpenPGP encryption")
	case root.Is("multipart/report"):
		return refuse("unencrypted reports pass only when they say that a message was not delivered")
	case root.Is("application/pkcs7-mime"), root.Is("application/x-pkcs7-mime"):
		return refuse("the message is encrypted with S/MIME; this relay takes OpenPGP only")
	case root.Is("text/plain") && len(root.Parts) == 0:
		return refuse("the message is plain text; turn on OpenPGP encryption in PGP/MIME form")
	}
	return refuse("the message is not encrypted; turn on OpenPGP encryption in PGP/MIME form")
}

// Body implements mime.Visitor.
func (g *gate) Body(p *mime.Part, b []byte) error { return g.rules.body(p, b) }

// Outside implements mime.Visitor.
func (g *gate) Outside(p *mime.Part, place mime.Place, b []byte) error {
	return g.rules.outside(p, place, b)
}

// close judges the message as a whole.
func (g *gate) close(m *mime.Message) error {
	if err := checkDefects(m.Defects); err != nil {
		return err
	}
	var err error
	g.verdict, err = g.rules.close()
	return err
}

// checkDefects refuses everything that two readers could understand in two ways. UTF-8 in header fields is lawful with
// SMTPUTF8, and repeated fields are for the one to settle who chooses the fields that go on; of From, MIME-Version and
// the Content fields a second one is always refused.
func checkDefects(list []mime.Defect) error {
	for _, d := range list {
		if d.Kind != mime.EightBitHeader && d.Kind != mime.RepeatedField {
			return refuse("the message is malformed: %v", d.Kind)
		}
	}
	return nil
}

package mta

import (
	"bytes"
	"crypto/rand"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
)

// A rewriter checks the header of a message against the policy of its
// connection and rewrites it by the table in header.go.
type rewriter struct {
	policy policy
	gated  bool // a gate judges what comes out
	mark   bool // what is not encrypted is marked
	now    time.Time

	lost *lostSubject // takes note of a subject that is replaced; may be nil
}

// rewrite returns the header block that is stored in place of block. It is
// idempotent but for the clock, and the result of a block that needs no change
// is the block.
func (w rewriter) rewrite(block []byte) ([]byte, error) {
	seen, err := w.survey(block)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(block)+128)
	if w.mark && !seen.strict {
		out = append(out, clearMark...)
	}
	for f := range mime.Fields(block) {
		if w.lost != nil && seen.strict {
			w.lost.see(f)
		}
		if rule := ruleFor(f.Name, seen.strict); rule != nil {
			out = rule(out, f)
		}
	}
	if w.policy.role == submission {
		out = w.complete(out, seen)
	}
	return append(out, crlf...), nil
}

// A survey is what must be known of a header before its fields are rewritten.
type survey struct {
	strict bool
	dated  bool
	named  bool // it has a Message-ID
	author addr.Address
}

func (w rewriter) survey(block []byte) (survey, error) {
	var s survey
	var received, froms int
	var from []addr.Address
	for f := range mime.Fields(block) {
		switch {
		case f.Name == "":
			return s, errHeaderSyntax
		case f.Is("Received"):
			received++
		case f.Is("From"):
			froms++
			from = addresses(f.Value())
		case f.Is("Date"):
			_, ok := mime.ParseDate(f.Value())
			s.dated = s.dated || ok
		case f.Is("Message-ID"):
			s.named = true
		}
	}
	if err := loop(received); err != nil {
		return s, err
	}
	if froms != 1 || len(from) == 0 {
		return s, errFromCount
	}
	if err := w.policy.author(from); err != nil {
		return s, err
	}
	s.author = from[0]
	s.strict = w.gated || isEncrypted(block)
	return s, nil
}

// isEncrypted reports whether a message with this header is multipart/encrypted,
// as the gate's own parser sees it.
func isEncrypted(block []byte) bool {
	m, err := mime.Walk(bytes.NewReader(block), mime.Options{})
	return err == nil && m.Root.Is("multipart/encrypted")
}

// complete adds what submitted mail must have.
func (w rewriter) complete(out []byte, s survey) []byte {
	if !s.dated {
		out = appendField(out, "Date", formatDate(w.now))
	}
	if !s.named {
		out = appendField(out, "Message-ID", "<"+strings.ToLower(rand.Text())+"@"+s.author.Domain()+">")
	}
	return out
}

func appendField(out []byte, name, value string) []byte {
	out = append(append(out, name...), ": "...)
	return append(append(out, value...), crlf...)
}

func formatDate(t time.Time) string { return t.UTC().Format(time.RFC1123Z) }

// addresses returns the addresses of an address list that are valid.
func addresses(value string) []addr.Address {
	var list []addr.Address
	for _, a := range mime.ParseAddressList(value) {
		if parsed, err := addressOf(a); err == nil {
			list = append(list, parsed)
		}
	}
	return list
}

// addressOf makes an address of an entry, which has lost the quotes of its local
// part.
func addressOf(a mime.Address) (addr.Address, error) {
	if parsed, err := addr.Parse(a.Mailbox + "@" + a.Host); err == nil {
		return parsed, nil
	}
	return addr.Parse(quoted(a.Mailbox) + "@" + a.Host)
}

package pgp

import (
	"strings"

	"github.com/restante/restante/internal/mime"
)

// join is the grammar of the one mail of Delta Chat's old SecureJoin that is not encrypted: the scanner of an invitation
// code does not know the other's key yet. The protocol's third version has no such mail. The mail says nothing but
// which request it is, twice, and a token from the code.
type join struct {
	request string // "vc-request" or "vg-request"
	parts   int
	text    small
}

const badJoin = "the request to join is not exactly what Delta Chat writes"

// isJoin reports whether the header is that of a request to join. What else is in it is for those to strip who choose
// the fields that go on.
func isJoin(root *mime.Part) bool {
	return root.Is("multipart/mixed") && joinRequest(root) != ""
}

// joinRequest returns the request in the header, or nothing if there is not exactly one.
func joinRequest(root *mime.Part) string {
	request := onlyField(root, "Secure-Join")
	if request == "vc-request" || request == "vg-request" {
		return request
	}
	return ""
}

// onlyField returns the value of the only field of that name, or nothing.
func onlyField(p *mime.Part, name string) string {
	value, n := "", 0
	for f := range mime.Fields(p.Header) {
		if f.Is(name) {
			value = f.Value()
			n++
		}
	}
	if n != 1 {
		return ""
	}
	return value
}

func newJoin(root *mime.Part) (*join, error) {
	if !isToken(onlyField(root, "Secure-Join-Invitenumber")) {
		return nil, refuse(badJoin)
	}
	return &join{request: joinRequest(root)}, nil
}

// isToken reports whether s could be an invitation's token, which is random in an alphabet for URLs.
func isToken(s string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	return len(s) >= 1 && len(s) <= 64 && strings.Trim(s, alphabet) == ""
}

func (j *join) header(p *mime.Part) error {
	j.parts++
	if j.parts > 1 || !p.Is("text/plain") {
		return refuse(badJoin)
	}
	for f := range mime.Fields(p.Header) {
		if !knownJoinField(p, f) {
			return refuse(badJoin)
		}
	}
	return nil
}

func knownJoinField(p *mime.Part, f mime.Field) bool {
	switch {
	case f.Is("Content-Type"):
		return !hasComment(f) && knownTextParams(p.Params)
	case f.Is("Content-Transfer-Encoding"):
		return isOneOf(f.Value(), "7bit", "8bit")
	}
	return false
}

func knownTextParams(ps mime.Params) bool {
	for _, p := range ps {
		known := p.Name == "charset" && knownCharset(p.Value) ||
			p.Name == "format" && p.Value == "flowed" ||
			p.Name == "delsp" && isOneOf(p.Value, "yes", "no")
		if !known {
			return false
		}
	}
	return true
}

func (j *join) body(_ *mime.Part, b []byte) error { return j.text.add(b, badJoin) }

func (j *join) outside(_ *mime.Part, _ mime.Place, b []byte) error {
	if !blank(b) {
		return refuse(badJoin)
	}
	return nil
}

func (j *join) close() (Verdict, error) {
	if j.parts != 1 || !strings.EqualFold(j.text.trimmed(), "secure-join: "+j.request) {
		return Verdict{}, refuse(badJoin)
	}
	return Verdict{Kind: SecureJoin}, nil
}

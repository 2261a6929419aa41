package wire

import "github.com/emersion/go-imap/v2"

// Untagged starts an untagged response.
func (e *Encoder) Untagged() { e.Word("*") }

// Tag starts a tagged response or a command. A tag that could not have been
// read cannot be written.
func (e *Encoder) Tag(tag string) {
	if !all(tag, charTag) {
		e.fail("a tag has characters that are not permitted")
		return
	}
	e.Word(tag)
}

// Status writes a complete status response. An empty tag stands for "*", an
// empty code for none; a code with arguments is written with OpenCode.
func (e *Encoder) Status(tag string, typ imap.StatusResponseType, code imap.ResponseCode, text string) error {
	e.StartStatus(tag, typ)
	if code != "" {
		e.OpenCode(code)
		e.CloseCode()
	}
	e.Text(text)
	return e.CRLF()
}

// StartStatus starts a status response; OpenCode, Text and CRLF follow.
func (e *Encoder) StartStatus(tag string, typ imap.StatusResponseType) {
	if tag == "" {
		e.Untagged()
	} else {
		e.Tag(tag)
	}
	e.Word(string(typ))
}

// OpenCode starts a response code; its arguments and CloseCode follow.
func (e *Encoder) OpenCode(code imap.ResponseCode) {
	e.bracket('[')
	e.Atom(string(code))
}

// CloseCode ends a response code.
func (e *Encoder) CloseCode() { e.unbracket(']') }

// Text writes the human-readable end of a response. Whatever is not printable
// ASCII becomes "?", so the text cannot start a response of its own; a "[" at
// its start, which would be read as a response code, becomes "(". Empty text,
// which the grammar does not permit, becomes "-".
func (e *Encoder) Text(s string) {
	e.sep()
	n := len(e.b)
	e.b = append(e.b, s...)
	for i, c := range e.b[n:] {
		if c < ' ' || c > '~' {
			e.b[n+i] = '?'
		}
	}
	if s == "" {
		e.b = append(e.b, '-')
	}
	if e.b[n] == '[' {
		e.b[n] = '('
	}
}

// Continue writes a complete continuation request.
func (e *Encoder) Continue(text string) error {
	e.Word("+")
	e.Text(text)
	return e.CRLF()
}

// ContinueBase64 writes a continuation request of SASL: its text is base64, and
// empty for an empty challenge.
func (e *Encoder) ContinueBase64(text string) error {
	if text != "" {
		return e.Continue(text)
	}
	e.Word("+ ") // RFC 9051, 9: the space is not optional
	return e.CRLF()
}

// Count writes a complete response such as "* 23 EXISTS".
func (e *Encoder) Count(n uint32, what string) error {
	e.Untagged()
	e.Number(uint64(n))
	e.Word(what)
	return e.CRLF()
}

// StartFetch starts "* n FETCH (". The items follow as name and value, then
// EndFetch.
func (e *Encoder) StartFetch(seq uint32) { e.startFetch(seq, "FETCH") }

// StartUIDFetch starts "* uid UIDFETCH (", which takes the place of FETCH after
// ENABLE UIDONLY (RFC 9586).
func (e *Encoder) StartUIDFetch(uid imap.UID) { e.startFetch(uint32(uid), "UIDFETCH") }

func (e *Encoder) startFetch(n uint32, name string) {
	e.Untagged()
	e.Number(uint64(n))
	e.Word(name)
	e.Open()
}

// EndFetch completes a FETCH response.
func (e *Encoder) EndFetch() error {
	e.Close()
	return e.CRLF()
}

package wire

import "unicode/utf8"

// inbox is the mailbox whose name has no case (RFC 9051, 5.1).
const inbox = "INBOX"

// Mailbox reads a mailbox name and returns it in UTF-8, INBOX always in upper
// case. A name in bad modified UTF-7, in bad UTF-8 or with control characters
// is a syntax error.
func (d *Decoder) Mailbox() string {
	return d.mailbox(charAtomic, "a mailbox name")
}

// Pattern reads a mailbox name with wildcards, as of LIST, and returns it in
// UTF-8. It may be empty.
func (d *Decoder) Pattern() string {
	return d.mailbox(charList, "a mailbox pattern")
}

func (d *Decoder) mailbox(set uint8, want string) string {
	at := d.pos
	raw := d.astring(set, want)
	if d.err != nil {
		return ""
	}
	name, ok := d.decodeName(raw)
	if !ok || !ValidMailbox(name) {
		d.setErr(&SyntaxError{Want: want + " in valid " + d.nameEncoding(), At: at})
		return ""
	}
	if equalFold(name, inbox) {
		return inbox
	}
	return name
}

func (d *Decoder) decodeName(raw []byte) (string, bool) {
	if d.r.utf8 {
		return string(raw), true
	}
	return DecodeUTF7(string(raw))
}

func (d *Decoder) nameEncoding() string {
	if d.r.utf8 {
		return "UTF-8"
	}
	return "modified UTF-7"
}

// ValidMailbox reports whether name is UTF-8 without the characters that RFC
// 6855 section 3 forbids: controls, DEL, and the line and paragraph separators.
func ValidMailbox(name string) bool {
	if !utf8.ValidString(name) {
		return false
	}
	for _, c := range name {
		switch {
		case c < ' ', c >= 0x7f && c < 0xa0, c == 0x2028, c == 0x2029:
			return false
		}
	}
	return true
}

// Mailbox writes a mailbox name given in UTF-8.
func (e *Encoder) Mailbox(name string) {
	if !e.utf8 && (!plainASCII(name) || hasShift(name)) {
		name = string(AppendUTF7(nil, name))
	}
	e.Astring(name)
}

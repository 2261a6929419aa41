package wire

import "unicode/utf8"

// inbox is the mailbox whose name has no case (RFC 9051, 5.1).
const inbox = "INBOX"

// Mailbox reads a mailbox name and returns it in UTF-8, INBOX always in upper
// case. A name in bad modified UTF-7, in bad UTF-8 or with control characters
// is a *NameError.
func (d *Decoder) Mailbox() string {
	raw := d.astring(charAtomic, "a mailbox name")
	if d.err != nil {
		return ""
	}
	name, ok := d.decodeName(raw)
	if !ok || !ValidMailbox(name) {
		d.setErr(&NameError{Encoding: d.nameEncoding()})
		return ""
	}
	if equalFold(name, inbox) {
		return inbox
	}
	return name
}

// Pattern reads a mailbox name with wildcards, as of LIST, and returns it in
// UTF-8. It may be empty. One in a bad encoding is returned as it came: that it
// matches nothing is no fault of the command.
func (d *Decoder) Pattern() string {
	raw := d.astring(charList, "a mailbox pattern")
	if name, ok := d.decodeName(raw); ok {
		return name
	}
	return string(raw)
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

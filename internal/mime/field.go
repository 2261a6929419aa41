package mime

import (
	"bytes"
	"iter"
	"strings"
)

// Field is one header field.
type Field struct {
	Name string // as in the header; empty if the line is no field
	Raw  []byte // the whole field with name, folding and line end
}

// Is reports whether the field has this name, in whatever case.
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// Value returns what follows the colon, unfolded (RFC 5322, 2.2.3) and without blanks at its ends. A NUL, or a CR or
// LF that folds nothing, reads as a blank.
func (f Field) Value() string { return unfold(afterColon(f.Raw)) }

// Fields returns the fields of a header block, which ends at its first blank line or with the slice. Lines that belong
// to no field come as fields without a name, so that the raw octets of all of them make up the block. Raw aliases it.
func Fields(block []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for {
			raw, rest := nextField(block)
			if len(raw) == 0 || !yield(Field{Name: internField(fieldName(raw)), Raw: raw}) {
				return
			}
			block = rest
		}
	}
}

// nextField cuts the first field with its continuation lines from a header block; raw is empty at the block's end.
func nextField(block []byte) (raw, rest []byte) {
	if isBlankLine(block) {
		return nil, nil
	}
	for end := 0; ; {
		i := bytes.IndexByte(block[end:], '\n')
		if i < 0 {
			return block, nil
		}
		end += i + 1
		if end == len(block) || !isBlank(block[end]) {
			return block[:end], block[end:]
		}
	}
}

func isBlankLine(b []byte) bool {
	return len(b) > 0 && b[0] == '\n' || len(b) > 1 && b[0] == '\r' && b[1] == '\n'
}

// fieldName returns the name before the colon, or nothing if there is none that could be one. Blanks between name and
// colon are obsolete but to be accepted (RFC 5322, 4.5).
func fieldName(raw []byte) []byte {
	name, _, ok := bytes.Cut(raw, []byte(":"))
	if !ok {
		return nil
	}
	name = bytes.TrimRight(name, " \t")
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return nil
		}
	}
	return name
}

func afterColon(raw []byte) []byte {
	_, value, _ := bytes.Cut(raw, []byte(":"))
	return value
}

// unfold makes a field's body one line.
func unfold(b []byte) string {
	b = bytes.Trim(b, " \t\r\n")
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 && bytes.IndexByte(b, 0) < 0 {
		return string(b)
	}
	line := make([]byte, 0, len(b))
	for i, c := range b {
		more := i+1 < len(b)
		switch {
		case c == '\r' && more && b[i+1] == '\n': // the LF decides
		case c == '\n' && more && isBlank(b[i+1]):
		case c == '\r' || c == '\n' || c == 0:
			line = append(line, ' ')
		default:
			line = append(line, c)
		}
	}
	return strings.Trim(string(line), " \t")
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// internField returns name as a string, without an allocation for the fields that most messages have.
func internField(name []byte) string {
	if s, ok := commonFields[string(name)]; ok {
		return s
	}
	return string(name)
}

var commonFields = table(
	"Received", "Return-Path", "Delivered-To", "DKIM-Signature", "Authentication-Results", "ARC-Seal",
	"ARC-Message-Signature", "ARC-Authentication-Results", "From", "Sender", "Reply-To", "To", "Cc", "CC", "Bcc",
	"Date", "Subject", "Message-ID", "Message-Id", "In-Reply-To", "References", "MIME-Version", "Mime-Version",
	"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "Content-Id",
	"Content-Description", "Content-Language", "Autocrypt", "Auto-Submitted", "Chat-Version", "User-Agent", "X-Mailer",
	"List-Id", "List-Unsubscribe", "Precedence")

// table maps each string to itself: a lookup by a byte slice then costs no allocation.
func table(list ...string) map[string]string {
	m := make(map[string]string, len(list))
	for _, s := range list {
		m[s] = s
	}
	return m
}

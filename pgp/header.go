package pgp

import (
	"fmt"
	"io"
	"strings"

	"github.com/restante/restante/internal/mime"
)

// Field is one header field: a name, and a value without line ends.
type Field struct{ Name, Value string }

// Is reports whether the field has this name, in whatever case.
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// foldAt is where header lines are folded if they can be (RFC 5322, 2.1.1).
const foldAt = 76

// writeField writes one header field, folded at blanks. It refuses what would begin another field.
func writeField(w io.Writer, f Field) error {
	if f.Name == "" || strings.ContainsFunc(f.Name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
		return fmt.Errorf("%q is no name of a header field", f.Name)
	}
	if strings.ContainsAny(f.Value, "\r\n\x00") {
		return fmt.Errorf("the header field %s has a line end in it", f.Name)
	}
	var line strings.Builder
	line.WriteString(f.Name + ":")
	column := line.Len()
	for i, word := range strings.Split(f.Value, " ") {
		if i > 0 && column+1+len(word) > foldAt && word != "" {
			line.WriteString("\r\n")
			column = 0
		}
		line.WriteString(" " + word)
		column += 1 + len(word)
	}
	line.WriteString("\r\n")
	_, err := io.WriteString(w, line.String())
	return err
}

func writeFields(w io.Writer, list []Field) error {
	for _, f := range list {
		if err := writeField(w, f); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf returns the fields of a raw header block.
func fieldsOf(block []byte) []Field {
	var list []Field
	for f := range mime.Fields(block) {
		if f.Name != "" {
			list = append(list, Field{Name: f.Name, Value: f.Value()})
		}
	}
	return list
}

// get returns the value of the first field of that name.
func get(list []Field, name string) (string, bool) {
	for _, f := range list {
		if f.Is(name) {
			return f.Value, true
		}
	}
	return "", false
}

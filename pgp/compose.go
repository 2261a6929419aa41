package pgp

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/restante/restante/internal/addr"
)

// Draft is a mail to be signed and encrypted.
type Draft struct {
	// From is the sender, without a name, in the header that everybody sees.
	From addr.Address
	// To are the recipients in that header. If there are none it says that they are hidden: the SMTP envelope names them.
	To []addr.Address
	// Header is the mail's own header in its order, all of which is encrypted: From, To and Subject with their names and
	// text, Date, Message-ID, Autocrypt and whatever else. Of these only Date and Message-ID are seen outside too. Fields
	// of MIME belong to Entity.
	Header []Field
	// Outer are further fields of the header that everybody sees, such as Chat-Version.
	Outer []Field
	// Entity is the content: a MIME entity with its header, a blank line and its body, in CRLF lines.
	Entity io.Reader
	// Certs are those who can read the mail. The sender can only if one of them is the sender's.
	Certs   []*Cert
	Encrypt EncryptOptions
}

const (
	maxEntityHeader = 256 << 10
	// protection says in both dialects that the header inside is the one to show (RFC 9788, 2.1; the second is what
	// Thunderbird asks for).
	protection = "; protected-headers=\"v1\"; hp=\"cipher\""
	// hiddenSubject is the subject outside (RFC 9788, 3.2.1).
	hiddenSubject = "[...]"
	// hiddenTo is an empty group, as Delta Chat writes it.
	hiddenTo = `"hidden-recipients": ;`
)

// Compose writes the draft to w as a complete mail: the header that everybody sees, and PGP/MIME (RFC 3156) around the
// draft's own header and content, signed by k. If it fails, what was written to w is useless. Errors about recipients
// are those of EncryptTo and come before anything is written.
func (k *Key) Compose(w io.Writer, d Draft) error { return compose(w, d, k.EncryptTo) }

// Compose is Key.Compose without a signature: for a mail that must not tell who wrote it, to somebody who shares a
// passphrase.
func Compose(w io.Writer, d Draft) error { return compose(w, d, EncryptTo) }

func compose(w io.Writer, d Draft, encrypt func(io.Writer, []*Cert, EncryptOptions) (io.WriteCloser, error)) error {
	entity := bufio.NewReaderSize(d.Entity, 4096)
	head, err := readHead(entity, maxEntityHeader)
	if err != nil {
		return fmt.Errorf("compose: read entity: %w", err)
	}
	outer, err := outerHeader(d)
	if err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	var inner bytes.Buffer
	if err := writeInner(&inner, d, outer, head); err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	out := outBuffers.Get().(*bufio.Writer)
	out.Reset(w)
	defer func() { out.Reset(nil); outBuffers.Put(out) }()
	var frame bytes.Buffer
	boundary := "=_" + rand.Text()
	if err := writeFrame(&frame, outer, boundary); err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	sealed, err := encrypt(&prefixWriter{w: out, prefix: frame.Bytes()}, d.Certs, d.Encrypt)
	if err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	if err := copyAll(sealed, &inner, entity); err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	if _, err := out.WriteString("\r\n--" + boundary + "--\r\n"); err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	return out.Flush()
}

// outBuffers are the buffers before what a mail is written to.
var outBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 32<<10) }}

// copyAll writes all readers to w and closes it.
func copyAll(w io.WriteCloser, readers ...io.Reader) error {
	if _, err := copyClear(w, io.MultiReader(readers...)); err != nil {
		return err
	}
	return w.Close()
}

// clearBuffers are lent to copyClear, and are empty when nobody has them.
var clearBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyClear is io.Copy of what is not encrypted: a buffer serves many mails, and nothing
// of one stays in it.
func copyClear(w io.Writer, r io.Reader) (int64, error) {
	buffer := clearBuffers.Get().(*[32 << 10]byte)
	defer func() { clear(buffer[:]); clearBuffers.Put(buffer) }()
	// Neither side may bring a buffer of its own.
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buffer[:])
}

// prefixWriter writes the prefix before the first octets.
type prefixWriter struct {
	w      io.Writer
	prefix []byte
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	if len(p.prefix) > 0 {
		if _, err := p.w.Write(p.prefix); err != nil {
			return 0, err
		}
		p.prefix = nil
	}
	return p.w.Write(b)
}

// outerHeader returns the fields that everybody sees, without those of MIME.
func outerHeader(d Draft) ([]Field, error) {
	if d.From.IsZero() {
		return nil, errors.New("the draft has no sender")
	}
	to := hiddenTo
	if len(d.To) > 0 {
		to = addressList(d.To)
	}
	outer := []Field{{"From", "<" + d.From.String() + ">"}, {"To", to}, {"Subject", hiddenSubject}}
	for _, name := range []string{"Date", "Message-ID"} {
		value, ok := get(d.Header, name)
		if !ok {
			return nil, fmt.Errorf("the draft's header has no %s", name)
		}
		outer = append(outer, Field{name, value})
	}
	return append(outer, d.Outer...), nil
}

func addressList(list []addr.Address) string {
	var s strings.Builder
	for i, a := range list {
		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString("<" + a.String() + ">")
	}
	return s.String()
}

// writeInner writes the header of the encrypted entity: the draft's, a copy of what is seen outside (RFC 9788, 2.2), and
// the entity's own with the mark that the header is protected.
func writeInner(w io.Writer, d Draft, outer []Field, entity []Field) error {
	for _, f := range d.Header {
		if isMIME(f) {
			return fmt.Errorf("the header field %s belongs to the entity", f.Name)
		}
	}
	if err := writeFields(w, d.Header); err != nil {
		return err
	}
	for _, f := range outer {
		if err := writeField(w, Field{"HP-Outer", f.Name + ": " + f.Value}); err != nil {
			return err
		}
	}
	entity, err := protect(entity)
	if err != nil {
		return err
	}
	if err := writeFields(w, entity); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\r\n")
	return err
}

// isMIME reports whether the field is about the content and not about the mail.
func isMIME(f Field) bool {
	return f.Is("MIME-Version") || len(f.Name) > 8 && strings.EqualFold(f.Name[:8], "Content-")
}

// protect returns the entity's header with the mark.
func protect(entity []Field) ([]Field, error) {
	marked := false
	list := make([]Field, 0, len(entity)+1)
	for _, f := range entity {
		if !isMIME(f) {
			return nil, fmt.Errorf("the header field %s does not belong to the entity", f.Name)
		}
		if f.Is("Content-Type") {
			f.Value += protection
			marked = true
		}
		list = append(list, f)
	}
	if !marked {
		list = append(list, Field{"Content-Type", "text/plain; charset=us-ascii" + protection})
	}
	return list, nil
}

// writeFrame writes all that stands before the armor, as Thunderbird and Delta Chat shape it.
func writeFrame(w io.Writer, outer []Field, boundary string) error {
	if err := writeFields(w, outer); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "MIME-Version: 1.0\r\n"+
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"%[1]s\"\r\n"+
		"\r\n"+
		"--%[1]s\r\n"+
		"Content-Type: application/pgp-encrypted\r\n"+
		"Content-Description: PGP/MIME version identification\r\n"+
		"\r\n"+
		"Version: 1\r\n"+
		"\r\n"+
		"--%[1]s\r\n"+
		"Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\n"+
		"Content-Description: OpenPGP encrypted message\r\n"+
		"Content-Disposition: inline; filename=\"encrypted.asc\"\r\n"+
		"\r\n", boundary)
	return err
}

// readHead reads a header block and the blank line after it.
func readHead(r *bufio.Reader, limit int) ([]Field, error) {
	var block []byte
	for {
		line, err := r.ReadSlice('\n')
		block = append(block, line...)
		switch {
		case len(block) > limit:
			return nil, fmt.Errorf("its header is over %d octets", limit)
		case err == io.EOF:
			return fieldsOf(block), nil
		case err == bufio.ErrBufferFull:
		case err != nil:
			return nil, err
		case len(bytes.TrimRight(line, "\r\n")) == 0 && endsLine(block, line):
			return fieldsOf(block), nil
		}
	}
}

// endsLine reports whether line, the end of block, is a whole line and not the rest of one that was too long to read at
// once.
func endsLine(block, line []byte) bool {
	before := len(block) - len(line)
	return before == 0 || block[before-1] == '\n'
}

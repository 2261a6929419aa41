package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/restante/restante/internal/mime"
)

// Opened is an encrypted mail that was read.
type Opened struct {
	Result
	// Outer is what the mail is made of that everybody sees. Nothing in it is signed.
	Outer *mime.Message
	// Header is the header inside the encryption, in its order, without the fields of MIME and HP-Outer. It is covered by
	// the signature, and is the one to show, if Protected is set. If not, it is not meant as the mail's header.
	Header    []Field
	Protected bool
	// OuterCopy is what the sender says the header outside was (HP-Outer, RFC 9788, 2.2): a difference to Outer was made
	// on the way.
	OuterCopy []Field
}

// Open reads an encrypted mail (RFC 3156) and writes to dst the MIME entity that was encrypted, header and body. What
// Decrypt says about dst and about errors holds here too. A mail that is not of the form fails with ErrNotMessage; the
// gate's strictness about what stands outside the encryption is not asked for here, because mail from elsewhere has
// been through other hands.
func Open(dst io.Writer, mail io.Reader, o DecryptOptions) (Opened, error) {
	reader, writer := io.Pipe()
	finder := armorFinder{w: writer}
	walked := make(chan error, 1)
	var outer *mime.Message
	go func() {
		var err error
		outer, err = mime.Walk(mail, mime.Options{Visitor: &finder})
		writer.CloseWithError(err)
		walked <- err
	}()
	var head headKeeper
	result, err := Decrypt(io.MultiWriter(dst, &head), reader, o)
	if err == nil {
		_, err = io.Copy(io.Discard, reader) // what follows the message, so that the walk ends
	}
	reader.CloseWithError(errStopped)
	if walkErr := <-walked; walkErr != nil && !errors.Is(walkErr, errStopped) {
		return Opened{}, fmt.Errorf("open mail: %w", walkErr)
	}
	if err != nil {
		return Opened{}, err
	}
	opened := Opened{Result: result, Outer: outer}
	if err := opened.readHeader(head.block); err != nil {
		return Opened{}, err
	}
	return opened, nil
}

// errStopped ends the walk when the message needs no more of it.
var errStopped = errors.New("stopped")

// armorFinder passes on the body of the second part of a multipart/encrypted.
type armorFinder struct {
	w     io.Writer
	parts int
}

func (f *armorFinder) Header(p *mime.Part) error {
	if f.parts == 0 && !p.Is("multipart/encrypted") {
		return fmt.Errorf("%w: the mail is not multipart/encrypted", ErrNotMessage)
	}
	f.parts++
	if f.parts == 3 && p.Encoding != "7bit" && p.Encoding != "8bit" && p.Encoding != "binary" {
		return fmt.Errorf("%w: the encrypted part was recoded as %s on the way", ErrNotMessage, p.Encoding)
	}
	return nil
}

func (f *armorFinder) Body(_ *mime.Part, b []byte) error {
	if f.parts != 3 {
		return nil
	}
	_, err := f.w.Write(b)
	return err
}

func (*armorFinder) Outside(*mime.Part, mime.Place, []byte) error { return nil }

// headKeeper keeps the header block of what is written to it.
type headKeeper struct {
	block []byte
	done  bool
}

func (h *headKeeper) Write(b []byte) (int, error) {
	if h.done {
		return len(b), nil
	}
	from := max(0, len(h.block)-4)
	h.block = append(h.block, b...)
	if end := headEnd(h.block, from); end >= 0 {
		h.block, h.done = h.block[:end:end], true
	}
	h.done = h.done || len(h.block) > maxEntityHeader
	return len(b), nil
}

// headEnd returns where the blank line that ends the header begins, looking from an index on; -1 if it has not come.
func headEnd(block []byte, from int) int {
	if from == 0 && (bytes.HasPrefix(block, []byte("\r\n")) || bytes.HasPrefix(block, []byte("\n"))) {
		return 0
	}
	for i := from; i < len(block); i++ {
		rest := block[i:]
		switch {
		case bytes.HasPrefix(rest, []byte("\n\r\n")), bytes.HasPrefix(rest, []byte("\n\n")):
			return i + 1
		}
	}
	return -1
}

// readHeader sorts the fields of the header inside.
func (o *Opened) readHeader(block []byte) error {
	if len(block) > maxEntityHeader {
		return fmt.Errorf("%w: the header is over %d octets", ErrTooLarge, maxEntityHeader)
	}
	m, err := mime.Walk(bytes.NewReader(block), mime.Options{})
	if err != nil {
		return err
	}
	for _, f := range fieldsOf(block) {
		switch {
		case f.Is("HP-Outer"):
			if copied := fieldsOf([]byte(f.Value)); len(copied) == 1 {
				o.OuterCopy = append(o.OuterCopy, copied[0])
			}
		case !isMIME(f):
			o.Header = append(o.Header, f)
		}
	}
	hp, _ := m.Root.Params.Get("hp")
	older, _ := m.Root.Params.Get("protected-headers")
	o.Protected = hp == "cipher" || older == "v1"
	return nil
}

package mta

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/restante/restante/internal/mime"
)

// # What becomes of a header
//
// The header of an encrypted message is all that a relay could learn from, and
// all that a thief of its disk could: so it is rewritten by an allow-list, for
// submitted mail and for mail from other servers alike, before the gate looks
// at the message. A field that is not in this table is never stored and goes
// nowhere: Received, Return-Path, User-Agent, X-Mailer, X-Originating-IP, Bcc,
// Sender, Resent-*, and whatever is invented next.
//
//	field                                     strictly           openly
//	From, Reply-To                            addr-specs only    as it is
//	To, Cc                                    addr-specs only    as it is
//	Date                                      UTC                UTC
//	Message-ID, In-Reply-To, References       as it is           as it is
//	Subject                                   [...]              as it is
//	MIME-Version                              1.0                1.0
//	Content-Type                              as it is           as it is
//	Content-Transfer-Encoding                 a token            as it is
//	Content-* otherwise                       -                  as it is
//	Chat-Version, Chat-Is-Post-Message        a token            as it is
//	Auto-Submitted                            a token            as it is
//	Secure-Join, Secure-Join-Invitenumber     a token            as it is
//	Autocrypt                                 if well-formed     as it is
//	Autocrypt-*, Chat-*, Secure-Join-*        -                  as it is
//	List-*, Comments, Keywords, Archived-At   -                  as it is
//	Importance, Priority, X-Priority          -                  as it is
//	Precedence, Disposition-Notification-To   -                  as it is
//
// Openly is for mail that is not multipart/encrypted, on a server without a
// gate. All other mail goes strictly: what is in the clear in it could be
// anything. That includes the few messages which a gate lets pass unencrypted,
// delivery reports and old SecureJoin requests, and so no sentence in a header
// gets around it. "As it is" means byte for byte, folding included. Display
// names and subjects of encrypted mail travel inside (RFC 9788). Date loses the
// sender's zone, and MIME-Version comments in which programs name themselves.
//
// Submitted mail without Date or Message-ID gets them (RFC 6409, 8.2 and 8.3).
// No Received field is added to what is stored: it would hold an address, a
// name and a time.

var (
	errHeaderSize   = errors.New("mta: header too large")
	errHeaderSyntax = errors.New("mta: header line that is no field")
)

// maxHeader bounds the header block, with its blank line.
const maxHeader = mime.DefaultMaxHeader

// A headerReader passes a message on with another header block. It holds the
// block in memory, and none of the body. Its input has CRLF line ends only.
type headerReader struct {
	r       io.Reader
	rewrite func(block []byte) ([]byte, error) // block and result end with the blank line

	// survey, if there is one, is given the block as it came, and returns what the
	// body passes through.
	survey func(block []byte, body io.Reader) (io.Reader, error)

	ready bool
	err   error
}

func (h *headerReader) Read(b []byte) (int, error) {
	if !h.ready {
		h.ready = true
		h.err = h.readBlock()
	}
	if h.err != nil {
		return 0, h.err
	}
	return h.r.Read(b)
}

// readBlock reads the header block, with as much of the body as comes along.
func (h *headerReader) readBlock() error {
	buf := make([]byte, 0, 4096)
	for {
		n, err := h.r.Read(buf[len(buf):cap(buf)])
		searched := len(buf)
		buf = buf[:searched+n]
		if end := blockEnd(buf, searched); end >= 0 {
			return h.replace(buf[:end], buf[end:])
		}
		switch {
		case len(buf) >= maxHeader:
			return errHeaderSize
		case err == io.EOF:
			return h.replace(append(buf, crlf...), nil) // a message without a body needs no blank line
		case err != nil:
			return err
		}
		buf = slices.Grow(buf, 1)
	}
}

// replace puts the rewritten block, and the beginning of the body, before the
// rest of the message.
func (h *headerReader) replace(block, body []byte) error {
	if len(block) > maxHeader {
		return errHeaderSize
	}
	out, err := h.rewrite(block)
	if err != nil {
		return err
	}
	rest := io.MultiReader(bytes.NewReader(body), h.r)
	if h.survey != nil {
		if rest, err = h.survey(block, rest); err != nil {
			return err
		}
	}
	h.r = io.MultiReader(bytes.NewReader(out), rest)
	return nil
}

// blockEnd returns where the header block ends, blank line included, or -1. The
// first bytes, so many as searched says, are known not to hold the end.
func blockEnd(b []byte, searched int) int {
	if bytes.HasPrefix(b, crlf) {
		return len(crlf)
	}
	from := max(searched-3, 0)
	if at := bytes.Index(b[from:], []byte("\r\n\r\n")); at >= 0 {
		return from + at + 4
	}
	return -1
}

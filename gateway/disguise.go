package gateway

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// disguise is what a mail of the user's client needs that goes out by an identity apart.
type disguise struct {
	main    addr.Address // what the client may have written where its user's address belongs
	from    addr.Address // the identity's
	named   bool         // From is the identity already, with the name that the user gave it
	threads *threads
}

// header returns the header as the identity's. It takes out what names another address
// of the user, and the user.
func (d *disguise) header(header []pgp.Field) []pgp.Field {
	header = slices.DeleteFunc(header, func(f pgp.Field) bool { return f.Is("Sender") || f.Is("Reply-To") })
	own := "<" + d.from.String() + ">"
	for i := range header {
		switch f := &header[i]; {
		case f.Is("From") && !d.named, f.Is(receiptField), f.Is(chatReceiptField):
			f.Value = own
		case f.Is("In-Reply-To"), f.Is("References"):
			f.Value = d.threads.outward(f.Value)
		}
	}
	return header
}

// body returns the content as the identity's. Only reports are changed, which programs
// write (RFC 8098, 3.2): they name the address that had the mail, and the program.
func (d *disguise) body(root *mime.Part, r io.Reader) io.Reader {
	if !root.Is("multipart/report") {
		return r
	}
	return &reportLines{r: bufio.NewReader(r), main: d.main.String(), from: d.from.String()}
}

// reportLines reads a report, with another address in it and without the name of the
// program that wrote it.
type reportLines struct {
	r          *bufio.Reader
	main, from string
	rest       string
}

// maxReportLine bounds a line of a report: a longer one is read in pieces.
const maxReportLine = 64 << 10

func (l *reportLines) Read(p []byte) (int, error) {
	for l.rest == "" {
		line, err := readLine(l.r)
		if line == "" {
			return 0, err
		}
		if name, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Reporting-UA") {
			continue
		}
		l.rest = replaceFold(line, l.main, l.from)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// readLine returns the next line with its end, or what there is of it.
func readLine(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for b.Len() < maxReportLine {
		piece, err := r.ReadSlice('\n')
		b.Write(piece)
		if err == nil || err != bufio.ErrBufferFull {
			return b.String(), err
		}
	}
	return b.String(), nil
}

// replaceFold is strings.ReplaceAll for ASCII in upper or lower case.
func replaceFold(s, old, with string) string {
	lower, old := strings.ToLower(s), strings.ToLower(old)
	if len(lower) != len(s) {
		return s // it is not ASCII, and so no address
	}
	var b strings.Builder
	for {
		i := strings.Index(lower, old)
		if i < 0 {
			return b.String() + s
		}
		b.WriteString(s[:i] + with)
		s, lower = s[i+len(old):], lower[i+len(old):]
	}
}

package queue

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// A report tells the sender of a letter what became of it (RFC 3464).
type report struct {
	action    string // failed, delayed or relayed
	letter    *mailbox.Letter
	about     []mailbox.Addressee
	retry     time.Time // until when a delayed letter is tried
	health    Health    // how well this machine reaches other servers
	header    []byte    // of the letter
	hostname  string
	domain    string
	now       time.Time
	messageID string // without brackets; made if empty
}

// titles are the subjects of reports, and opening what they begin with.
var titles = map[string]string{
	"failed":  "Message not delivered",
	"delayed": "Message delayed",
	"relayed": "Message passed on",
}

var openings = map[string]string{
	"failed":  "Your message could not be delivered to:",
	"delayed": "Your message has not been delivered yet to:",
	"relayed": "Your message was passed on to a server that does not tell whether it was delivered to:",
}

// maxReportedHeader is how much of a letter's header comes back.
const maxReportedHeader = 64 << 10

// readHeader returns the header of a message with the empty line after it, or as
// much of it as comes back.
func readHeader(message io.Reader) ([]byte, error) {
	var header []byte
	in := bufio.NewReader(io.LimitReader(message, maxReportedHeader))
	for {
		line, err := in.ReadSlice('\n')
		header = append(header, line...)
		if err == io.EOF || string(line) == "\r\n" {
			return header, nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
	}
}

// compose returns the report as a message.
func (r *report) compose() ([]byte, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if r.messageID == "" {
		r.messageID = strings.ToLower(rand.Text()) + "@" + r.domain
	}
	for _, f := range [][2]string{
		{"From", "Mail Delivery <" + "mailer-daemon@" + r.domain + ">"},
		{"To", "<" + r.letter.From.String() + ">"},
		{"Date", r.now.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")},
		{"Subject", titles[r.action]},
		{"Message-ID", "<" + r.messageID + ">"},
		{"Auto-Submitted", "auto-replied"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/report; report-type=delivery-status;\r\n boundary=\"" + w.Boundary() + "\""},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	b.WriteString("\r\n")
	parts := []struct{ kind, encoding, content string }{
		{"text/plain; charset=utf-8", "8bit", r.words()},
		{"message/delivery-status", "", r.status()},
		{headersType(r.header), "", string(r.header)},
	}
	for _, p := range parts {
		if err := writePart(w, p.kind, p.encoding, p.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

func writePart(w *multipart.Writer, kind, encoding, content string) error {
	h := textproto.MIMEHeader{"Content-Type": {kind}}
	if encoding == "" && !isASCII(content) {
		encoding = "8bit"
	}
	if encoding != "" {
		h["Content-Transfer-Encoding"] = []string{encoding}
	}
	part, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, content)
	return err
}

// headersType is the type of a part that has a header in it (RFC 6533, 3).
func headersType(header []byte) string {
	if isASCII(string(header)) {
		return "text/rfc822-headers"
	}
	return "message/global-headers"
}

// words is what people read.
func (r *report) words() string {
	var b strings.Builder
	b.WriteString(openings[r.action] + "\r\n\r\n")
	for _, a := range r.about {
		fmt.Fprintf(&b, "  %s\r\n", a.Address)
		if a.Reason != "" && r.action != "relayed" {
			fmt.Fprintf(&b, "    %s\r\n", a.Reason)
		}
	}
	switch {
	case r.action == "delayed" && r.health.Blocked:
		fmt.Fprintf(&b, "\r\nThis relay has not reached any other mail server for a while: outgoing port 25 seems to be blocked%s.\r\n"+
			"It keeps trying until %s. There is nothing you need to do.\r\n", r.doubt(), stamp(r.retry))
	case r.action == "delayed":
		fmt.Fprintf(&b, "\r\nIt is tried again until %s. There is nothing you need to do.\r\n", stamp(r.retry))
	case r.action == "failed":
		b.WriteString("\r\nIt is not tried again. Check the address, or ask the recipient on another way.\r\n")
	}
	return b.String()
}

// doubt is what else may be the matter when the port seems to be blocked.
func (r *report) doubt() string {
	if r.health.Few {
		return ",\r\nor the few servers that it tried are down"
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// status is what programs read (RFC 3464, 2).
func (r *report) status() string {
	var b strings.Builder
	if r.letter.EnvelopeID != "" {
		fmt.Fprintf(&b, "Original-Envelope-Id: %s\r\n", r.letter.EnvelopeID)
	}
	fmt.Fprintf(&b, "Reporting-MTA: dns; %s\r\n", r.hostname)
	fmt.Fprintf(&b, "Arrival-Date: %s\r\n", r.letter.Created.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000"))
	for _, a := range r.about {
		b.WriteString("\r\n")
		if a.Original != "" {
			fmt.Fprintf(&b, "Original-Recipient: %s\r\n", a.Original)
		}
		fmt.Fprintf(&b, "Final-Recipient: %s\r\nAction: %s\r\nStatus: %s\r\n", finalRecipient(a.Address), r.action, a.Status)
		if a.Reason != "" {
			fmt.Fprintf(&b, "Diagnostic-Code: smtp; %s\r\n", a.Reason)
		}
		if r.action == "delayed" {
			fmt.Fprintf(&b, "Will-Retry-Until: %s\r\n", r.retry.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000"))
		}
	}
	return b.String()
}

// finalRecipient writes an address in ASCII (RFC 6533, 3: utf-8-addr-xtext).
func finalRecipient(a addr.Address) string {
	s := a.String()
	if isASCII(s) {
		return "rfc822; " + s
	}
	var b strings.Builder
	for _, r := range s {
		if r > '~' || r <= ' ' || r == '\\' || r == '+' || r == '=' {
			fmt.Fprintf(&b, "\\x{%X}", r)
			continue
		}
		b.WriteRune(r)
	}
	return "utf-8; " + b.String()
}

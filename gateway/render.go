package gateway

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
)

// digestField names the mail of the provider that a local mail was made of, so that
// the two are found together again after a crash.
const digestField = "X-Restante-Id"

// identityField names the identity apart that a mail came to.
const identityField = "X-Restante-Identity"

// isOurs reports whether a header field of an incoming mail pretends to be the
// gateway's, or is of the encryption and says nothing to a person.
func isOurs(name string) bool {
	n := strings.ToLower(name)
	if strings.HasPrefix(n, "x-restante-") {
		return true
	}
	switch n {
	case "authentication-results", "arc-authentication-results", "autocrypt", "autocrypt-gossip", "hp-outer", "mime-version":
		return true
	}
	return false
}

// page is a mail as the user's client gets it.
type page struct {
	verdict Verdict
	digest  string
	// header is the raw header to show, and entity the raw fields about the content.
	header, entity []byte
	body           io.Reader
	group          *Group // that the mail is in, or nil
	// identity is the user's address that the mail came to, if that is not the account's;
	// and inward gives the mails that went out by one the ids that the client knows.
	identity addr.Address
	inward   func(string) string
}

// reader returns the mail. What the gateway says stands first: a client that shows
// one of several fields of a name shows that one.
func (p page) reader() io.Reader {
	var b strings.Builder
	for _, f := range p.verdict.fields() {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.WriteString(digestField + ": " + p.digest + "\r\n")
	if p.group != nil {
		b.WriteString(p.group.shownAs())
	}
	if !p.identity.IsZero() {
		b.WriteString(identityField + ": " + p.identity.String() + "\r\n")
	}
	p.writeHeader(&b)
	b.WriteString("MIME-Version: 1.0\r\n")
	for f := range mime.Fields(p.entity) {
		if isContent(f.Name) {
			b.WriteString(line(f))
		}
	}
	b.WriteString("\r\n")
	return io.MultiReader(strings.NewReader(b.String()), p.body)
}

// writeHeader writes the mail's own header, with the marker in the first Subject and
// without the others: no mail needs two.
func (p page) writeHeader(b *strings.Builder) {
	marker := p.verdict.State.Marker()
	subject := ""
	found := false
	for f := range mime.Fields(p.header) {
		switch {
		case f.Name == "" || isOurs(f.Name) || isContent(f.Name):
		case p.group != nil && (f.Is("To") || f.Is("Cc") || f.Is("Reply-To")): // answers to all go to the group
		case f.Is("Subject"):
			if !found {
				subject, found = f.Value(), true
			}
		case f.Is(chatReceiptField) && !p.asksReceipt():
			b.WriteString(receiptField + ": " + f.Value() + "\r\n")
		case p.inward != nil && (f.Is("Message-ID") || f.Is("In-Reply-To") || f.Is("References")):
			b.WriteString(p.inward(line(f)))
		default:
			b.WriteString(line(f))
		}
	}
	if text := strings.TrimSpace(marker + " " + subject); text != "" {
		b.WriteString("Subject: " + text + "\r\n")
	}
}

// asksReceipt reports whether the mail asks for a receipt in the way that mail clients
// know.
func (p page) asksReceipt() bool {
	for f := range mime.Fields(p.header) {
		if f.Is(receiptField) {
			return true
		}
	}
	return false
}

// line returns a field as it came, folded as it was, unless it has line ends that fold
// nothing: a client could take what follows one for a field of ours.
func line(f mime.Field) string {
	raw := string(f.Raw)
	folded := strings.NewReplacer("\r\n ", "", "\r\n\t", "").Replace(strings.TrimSuffix(raw, "\r\n"))
	if strings.ContainsAny(folded, "\r\n\x00") || !strings.HasSuffix(raw, "\r\n") {
		return f.Name + ": " + f.Value() + "\r\n"
	}
	return raw
}

func isContent(name string) bool {
	return len(name) > 8 && strings.EqualFold(name[:8], "Content-")
}

// unreadable returns the page of a mail that does not open: a text that says so, and
// the mail as it came.
func unreadable(v Verdict, digest string, header []byte, why error, original io.Reader) page {
	boundary := "=_" + rand.Text()
	text := fmt.Sprintf("--%[1]s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+
		"This mail can't be shown: %[2]s.\r\n\r\nIt is attached as it came. If you have the key that opens it, on another device or in a backup,\r\n"+
		"import it with `restante gateway key import`.\r\n"+
		"--%[1]s\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"original.eml\"\r\n\r\n",
		boundary, strings.NewReplacer("\r", " ", "\n", " ").Replace(why.Error()))
	return page{
		verdict: v, digest: digest, header: header,
		entity: []byte("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n"),
		body:   io.MultiReader(strings.NewReader(text), original, strings.NewReader("\r\n--"+boundary+"--\r\n")),
	}
}

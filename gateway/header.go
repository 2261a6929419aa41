package gateway

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// outgoingFields are the header fields of a mail client's that go to the recipients,
// inside the encryption. All others stay here: they say what software the user has,
// or name those of Bcc.
var outgoingFields = []string{
	"From", "Sender", "Reply-To", "To", "Cc", "Subject", "In-Reply-To", "References", "Auto-Submitted",
	receiptField, "Importance", "Priority", "X-Priority",
}

// Where a receipt for reading a mail is asked for (RFC 8098, 2.1), and where Delta Chat
// asks for it.
const (
	receiptField     = "Disposition-Notification-To"
	chatReceiptField = "Chat-Disposition-Notification-To"
)

// newMessageID returns an id for a mail that has none.
func newMessageID(from addr.Address) string { return "<" + rand.Text() + "@" + from.Domain() + ">" }

// outgoingHeader returns the header that a client's mail goes out with. The date is
// made if there is none; it is in UTC, so that it does not tell where the user is.
func outgoingHeader(root *mime.Part, id string, now time.Time) []pgp.Field {
	var header []pgp.Field
	date := now
	for f := range mime.Fields(root.Header) {
		switch {
		case f.Is("Date"):
			if t, ok := mime.ParseDate(f.Value()); ok {
				date = t
			}
		case isOutgoing(f.Name):
			header = append(header, pgp.Field{Name: f.Name, Value: f.Value()})
			if f.Is(receiptField) { // Delta Chat (2.62) looks at this one only
				header = append(header, pgp.Field{Name: chatReceiptField, Value: f.Value()})
			}
		}
	}
	return append(header, pgp.Field{Name: "Date", Value: date.UTC().Format(time.RFC1123Z)}, pgp.Field{Name: "Message-ID", Value: id})
}

func isOutgoing(name string) bool {
	for _, n := range outgoingFields {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// entityHeader returns the fields of a client's mail that are about its content,
// raw, with the blank line.
func entityHeader(root *mime.Part) string {
	var b strings.Builder
	for f := range mime.Fields(root.Header) {
		if len(f.Name) > 8 && strings.EqualFold(f.Name[:8], "Content-") {
			b.Write(f.Raw)
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// addresses returns the addresses of a header's lists, each once. What is no
// address, and the marks of groups, are left out.
func addresses(lists ...[]mime.Address) []addr.Address {
	var all []addr.Address
	for _, list := range lists {
		for _, m := range list {
			if m.IsGroupStart() || m.IsGroupEnd() {
				continue
			}
			if a, ok := parseMailbox(m); ok && !containsAddress(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

// parseMailbox reads an address of a header, whose local part has lost its quotes.
func parseMailbox(m mime.Address) (addr.Address, bool) {
	a, err := addr.Parse(m.Mailbox + "@" + m.Host)
	if err != nil {
		a, err = addr.Parse(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(m.Mailbox) + `"@` + m.Host)
	}
	return a, err == nil
}

func containsAddress(list []addr.Address, a addr.Address) bool {
	for _, have := range list {
		if have.Equal(a) {
			return true
		}
	}
	return false
}

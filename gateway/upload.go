package gateway

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// sealToSelf encrypts a mail that the user's client has put into a mailbox, to the
// user and nobody else: a draft, the copy of a mail that was sent, one brought from
// elsewhere. All of its header is inside, Bcc too; outside is nothing but date and
// Message-ID.
func sealToSelf(w io.Writer, own *Identity, header []byte, body io.Reader, now time.Time) error {
	var fields []pgp.Field
	var entity strings.Builder
	date, id := now, "<"+rand.Text()+"@"+own.Address.Domain()+">"
	for f := range mime.Fields(header) {
		switch {
		case f.Name == "" || isOurs(f.Name):
			continue
		case isContent(f.Name):
			entity.WriteString(line(f))
			continue
		case f.Is("Date"):
			if t, ok := mime.ParseDate(f.Value()); ok {
				date = t
			}
			continue
		case f.Is("Message-ID"):
			if f.Value() != "" {
				id = f.Value()
			}
			continue
		}
		fields = append(fields, pgp.Field{Name: f.Name, Value: f.Value()})
	}
	entity.WriteString("\r\n")
	fields = append(fields, pgp.Field{Name: "Date", Value: date.UTC().Format(time.RFC1123Z)}, pgp.Field{Name: "Message-ID", Value: id})
	err := own.Current.Compose(w, pgp.Draft{
		From: own.Address, Header: fields, Certs: []*pgp.Cert{own.Current.Cert()},
		Entity: io.MultiReader(strings.NewReader(entity.String()), newCRLF(body)),
	})
	if err != nil {
		return fmt.Errorf("encrypt to oneself: %w", err)
	}
	return nil
}

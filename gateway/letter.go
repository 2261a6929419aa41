package gateway

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// Letter is a plain text mail as a person writes and reads it.
type Letter struct {
	From, To addr.Address
	Subject  string
	Text     string
	Date     time.Time
}

// Seal signs and encrypts the letter to its recipient and its writer, and
// returns the mail to submit. Subject and text are inside; who writes to whom and
// when is not, because mail must be carried.
func (l Letter) Seal(writer *pgp.Key, recipient *pgp.Cert) ([]byte, error) {
	entity := "Content-Type: text/plain; charset=utf-8\r\n\r\n" + crlf(l.Text)
	var mail bytes.Buffer
	err := writer.Compose(&mail, pgp.Draft{
		From: l.From,
		To:   []addr.Address{l.To},
		Header: []pgp.Field{
			{Name: "From", Value: "<" + l.From.String() + ">"},
			{Name: "To", Value: "<" + l.To.String() + ">"},
			{Name: "Subject", Value: mime.QEncoding.Encode("utf-8", l.Subject)},
			{Name: "Date", Value: l.Date.UTC().Format(time.RFC1123Z)},
			{Name: "Message-ID", Value: "<" + rand.Text() + "@" + l.From.Domain() + ">"},
		},
		Entity: strings.NewReader(entity),
		Certs:  []*pgp.Cert{writer.Cert(), recipient},
	})
	if err != nil {
		return nil, fmt.Errorf("seal letter: %w", err)
	}
	return mail.Bytes(), nil
}

// OpenLetter decrypts a mail and verifies it against the certificates of those
// who may have written it. The letter is what its signer wrote only if the
// result says so.
func OpenLetter(mail []byte, reader *pgp.Key, writers ...*pgp.Cert) (Letter, pgp.Result, error) {
	var entity bytes.Buffer
	opened, err := pgp.Open(&entity, bytes.NewReader(mail), pgp.DecryptOptions{Keys: []*pgp.Key{reader}, Certs: writers})
	if err != nil {
		return Letter{}, pgp.Result{}, fmt.Errorf("open letter: %w", err)
	}
	l := readLetterHeader(opened.Header)
	_, body, _ := strings.Cut(entity.String(), "\r\n\r\n")
	l.Text = strings.ReplaceAll(body, "\r\n", "\n")
	return l, opened.Result, nil
}

// readLetterHeader reads what a letter has of the protected header. What can't be
// read is left empty.
func readLetterHeader(header []pgp.Field) (l Letter) {
	for _, f := range header {
		bare := strings.Trim(strings.TrimSpace(f.Value), "<>")
		switch strings.ToLower(f.Name) {
		case "from":
			l.From, _ = addr.Parse(bare)
		case "to":
			l.To, _ = addr.Parse(bare)
		case "subject":
			subject, err := new(mime.WordDecoder).DecodeHeader(f.Value)
			if err != nil {
				subject = f.Value
			}
			l.Subject = subject
		case "date":
			l.Date, _ = time.Parse(time.RFC1123Z, f.Value)
		}
	}
	return l
}

func crlf(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

package gateway

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// note is a mail that the gateway writes by itself, for other software to read more
// than for people.
type note struct {
	from    addr.Address // of the user's; zero is the account's own
	to      []addr.Address
	subject string      // "" is "Secure-Join"
	text    string      // "" repeats the step of SecureJoin
	header  []pgp.Field // besides those of every mail; may have a To of its own

	gossip bool   // with the certificates of the recipients
	secret []byte // encrypt with this alone, and not to keys
	sign   bool   // where there is a secret: sign, and send our certificate
}

// sendNote puts a note into the outbox. It is durable when sendNote returns nil. The
// error is an *Unsendable if a key is missing, and ErrEnded if from was given up.
func (g *Gateway) sendNote(n note) error {
	all, now := g.own.Load(), g.o.Now()
	own, err := all.live(n.from)
	if err != nil {
		return err
	}
	k := keys{own: own, now: now}
	if n.secret == nil {
		if k, err = g.contacts.resolve(all, own, n.to, now); err != nil {
			return err
		}
	}
	header, err := n.fields(k)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return n.compose(w, header, k) }
	if _, err := g.box.add(own.Address, n.title(), []draft{{n.to, write}}, now); err != nil {
		return err
	}
	g.sender.kick()
	return nil
}

func (n note) title() string {
	if n.subject == "" {
		return "Secure-Join"
	}
	return n.subject
}

// fields returns the protected header.
func (n note) fields(k keys) ([]pgp.Field, error) {
	header := []pgp.Field{
		{Name: "From", Value: "<" + k.own.Address.String() + ">"},
		{Name: "Subject", Value: encodeWords(n.title())},
		{Name: "Date", Value: k.now.UTC().Format(time.RFC1123Z)},
		{Name: "Message-ID", Value: "<" + rand.Text() + "@localhost>"}, // says nothing about the sender
		{Name: "Chat-Version", Value: "1.0"},
	}
	if _, ok := findField(n.header, "To"); !ok {
		header = append(header, pgp.Field{Name: "To", Value: n.visible()})
	}
	header = append(header, n.header...)
	if n.secret != nil && !n.sign {
		return header, nil
	}
	value, err := pgp.Autocrypt{Addr: k.own.Address, Mutual: true, Cert: k.own.Current.Cert()}.Value()
	if err != nil {
		return nil, err
	}
	header = append(header, pgp.Field{Name: "Autocrypt", Value: value})
	if !n.gossip {
		return header, nil
	}
	gossip, err := k.gossip(n.to)
	return append(header, gossip...), err
}

// visible is the To of a note that brings none: nobody, if the mail is for whoever has
// an invitation.
func (n note) visible() string {
	if n.secret != nil {
		return `"hidden-recipients": ;`
	}
	var list []string
	for _, a := range n.to {
		list = append(list, "<"+a.String()+">")
	}
	return strings.Join(list, ", ")
}

func (n note) compose(w io.Writer, header []pgp.Field, k keys) error {
	text := n.text
	if step, ok := findField(header, "Secure-Join"); ok && text == "" {
		text = "Secure-Join: " + step
	}
	d := pgp.Draft{
		From: k.own.Address, Header: header,
		Entity: strings.NewReader("Content-Type: text/plain; charset=utf-8\r\n\r\n" + crlf(text) + "\r\n"),
	}
	d.Encrypt = pgp.EncryptOptions{Passphrase: n.secret, Generated: true, Anonymous: true, Now: func() time.Time { return k.now }}
	if n.secret != nil && !n.sign {
		return pgp.Compose(w, d)
	}
	if n.secret == nil {
		d.Certs = []*pgp.Cert{k.own.Current.Cert()}
		for _, a := range n.to {
			d.Certs = append(d.Certs, k.certs[a.Key()])
		}
		d.Certs = unique(d.Certs)
		if !pgp.ReadsSEIPDv2(d.Certs, k.now) {
			d.To = n.to
		}
	}
	if err := k.own.Current.Compose(w, d); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}

// gossip returns the certificates of other people as header fields. One that is too
// large to travel is left out: the others must get it in another way.
func (k keys) gossip(list []addr.Address) ([]pgp.Field, error) {
	var fields []pgp.Field
	for _, a := range list {
		cert := k.certs[a.Key()]
		if cert == nil || a.Equal(k.own.Address) {
			continue
		}
		value, err := pgp.Autocrypt{Addr: a, Cert: cert}.Value()
		if errors.Is(err, pgp.ErrAutocrypt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		fields = append(fields, pgp.Field{Name: "Autocrypt-Gossip", Value: value})
	}
	return fields, nil
}

// findField returns the value of the first field of that name.
func findField(list []pgp.Field, name string) (string, bool) {
	for _, f := range list {
		if f.Is(name) {
			return f.Value, true
		}
	}
	return "", false
}

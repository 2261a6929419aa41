package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"rsc.io/qr"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// ErrInvitation is wrapped by every error about the text of an invitation.
var ErrInvitation = errors.New("this is no invitation that can be followed")

// Invitation is what a link or QR code says by which two people meet: SecureJoin in its
// third version, as Delta Chat (2.62) writes and reads it. Whoever has the link knows
// the inviter's fingerprint, so that nobody can come between; and a secret, by which
// the inviter knows that somebody has the link.
type Invitation struct {
	Fingerprint pgp.Fingerprint // of the inviter
	Address     addr.Address    // of the inviter
	More        []addr.Address  // under which the inviter is reached too
	Name        string          // of the inviter; may be empty
	Number      string          // only old software looks at it
	Auth        string          // the secret
	Group       string          // the id of the group to join; empty to meet the inviter alone
	GroupName   string
}

// The beginnings of a link, after which the fingerprint stands. Those who pass one on
// sometimes leave out a slash or encode the number sign.
const linkPrefix = "https://i.delta.chat/#"

var linkPrefixes = []string{linkPrefix, "https://i.delta.chat#", "https://i.delta.chat/%23", "OPENPGP4FPR:"}

// maxLink bounds the text of an invitation.
const maxLink = 2000

// NewInvitation returns an invitation with a new secret of 144 bits.
func NewInvitation(owner addr.Address, f pgp.Fingerprint, name string) Invitation {
	return Invitation{Fingerprint: f, Address: owner, Name: name, Number: newToken(), Auth: newToken()}
}

// newToken returns 24 letters of an alphabet for URLs, with 144 bits of chance.
func newToken() string {
	b := make([]byte, 18)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseInvitation reads a link, or the content of a QR code. Errors wrap ErrInvitation
// and say what to do.
func ParseInvitation(link string) (Invitation, error) {
	rest, ok := cutPrefix(strings.TrimSpace(link))
	if !ok || len(link) > maxLink {
		return Invitation{}, badInvitation("it does not begin like one")
	}
	f := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789ABCDEFabcdef"))]
	query := rest[len(f):]
	for _, separator := range []string{"&", "#", "%23"} {
		query = strings.TrimPrefix(query, separator)
	}
	fields, err := url.ParseQuery(query)
	if err != nil {
		return Invitation{}, badInvitation("it is damaged: copy the whole link")
	}
	i := Invitation{
		Fingerprint: pgp.Fingerprint(strings.ToUpper(f)), Name: oneLine(fields.Get("n")),
		Number: fields.Get("i"), Auth: fields.Get("s"), Group: fields.Get("x"), GroupName: oneLine(fields.Get("g")),
	}
	if fields.Has("b") || fields.Has("j") {
		return Invitation{}, badInvitation("it is for a channel, which only Delta Chat shows")
	}
	if fields.Get("v") != "3" && i.Number != "" {
		return Invitation{}, badInvitation("it was made by an old Delta Chat: ask for one of a newer version")
	}
	if err := i.addresses(fields); err != nil {
		return Invitation{}, err
	}
	return i, i.check()
}

// IsInvitation reports whether a text begins like an invitation; ParseInvitation says
// whether it is one.
func IsInvitation(text string) bool {
	_, ok := cutPrefix(strings.TrimSpace(text))
	return ok
}

func cutPrefix(link string) (rest string, ok bool) {
	for _, p := range linkPrefixes {
		if len(link) >= len(p) && strings.EqualFold(link[:len(p)], p) {
			return link[len(p):], true
		}
	}
	return "", false
}

// addresses reads where the inviter is reached.
func (i *Invitation) addresses(fields url.Values) error {
	var err error
	if i.Address, err = addr.Parse(fields.Get("a")); err != nil {
		return badInvitation("the address in it is none")
	}
	for text := range strings.SplitSeq(fields.Get("r"), ",") {
		if a, err := addr.Parse(text); err == nil && len(i.More) < 8 {
			i.More = append(i.More, a)
		}
	}
	return nil
}

// check holds the parts to their alphabets: they go into headers and into a secret.
func (i Invitation) check() error {
	switch {
	case len(i.Fingerprint) != 40 && len(i.Fingerprint) != 64, strings.Trim(string(i.Fingerprint), "0123456789ABCDEF") != "":
		return badInvitation("the fingerprint in it is none")
	case !isToken(i.Auth), i.Number != "" && !isToken(i.Number), i.Group != "" && !isToken(i.Group):
		return badInvitation("the secret in it is damaged: copy the whole link")
	case i.Group != "" && i.GroupName == "":
		return badInvitation("the group in it has no name")
	}
	return nil
}

// isToken reports whether s could be a secret or an id that Delta Chat has made.
func isToken(s string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	return len(s) >= 11 && len(s) <= 64 && strings.Trim(s, alphabet) == ""
}

// oneLine makes text from outside fit to stand in a header or a list.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100])
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "")
}

// Link returns the invitation as a link, which Delta Chat opens as well.
func (i Invitation) Link() string {
	var b strings.Builder
	b.WriteString(linkPrefix + string(i.Fingerprint) + "&v=3")
	field := func(name, value string) {
		if value != "" {
			b.WriteString("&" + name + "=" + url.QueryEscape(value))
		}
	}
	field("x", i.Group)
	field("i", i.Number)
	field("s", i.Auth)
	field("a", i.Address.String())
	var more []string
	for _, a := range i.More {
		more = append(more, url.QueryEscape(a.String()))
	}
	if len(more) > 0 {
		b.WriteString("&r=" + strings.Join(more, ","))
	}
	field("n", i.Name)
	field("g", i.GroupName)
	return b.String()
}

// QR returns the code of the link, to be scanned with Delta Chat or a camera.
func (i Invitation) QR() (*qr.Code, error) { return qr.Encode(i.Link(), qr.L) }

// secret is what the first two mails are encrypted with: only those who have the link
// know it.
func (i Invitation) secret() []byte {
	return []byte("securejoin/" + string(i.Fingerprint) + "/" + i.Auth)
}

// all returns every address of the inviter.
func (i Invitation) all() []addr.Address { return append([]addr.Address{i.Address}, i.More...) }

func badInvitation(why string) error { return fmt.Errorf("%w: %s", ErrInvitation, why) }

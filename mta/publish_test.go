package mta

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

var aliasOfAnna = addr.MustParse("shop@here.example")

// withKey returns a message whose header offers a certificate.
func withKey(from, of addr.Address, cert *pgp.Cert) []byte {
	return fmt.Appendf(nil, "From: %s\r\nDate: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <1@here.example>\r\n"+
		"Autocrypt: addr=%s; prefer-encrypt=mutual;\r\n keydata=%s\r\n\r\nhello\r\n", from, of, base64.StdEncoding.EncodeToString(cert.Bytes()))
}

func newKey(t *testing.T, of addr.Address) *pgp.Key {
	t.Helper()
	key, err := pgp.Generate(of, pgp.KeyOptions{Profile: pgp.Classic, Now: func() time.Time { return noon.Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The certificate that a mail program sends along is published for those who want
// it, and never for another address than the author's.
func TestPublishOffered(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	x := r.owner(t, "anna")
	if err := x.AddAlias(t.Context(), aliasOfAnna); err != nil {
		t.Fatal(err)
	}
	first, second, other := newKey(t, anna), newKey(t, anna), newKey(t, bert)
	shared := newKey(t, aliasOfAnna)
	c := sender(t, r, "anna")
	mail := func(from addr.Address, message []byte) {
		t.Helper()
		if err := c.SendMail(from.String(), []string{"bert@here.example"}, bytes.NewReader(message)); err != nil {
			t.Fatal(err)
		}
	}
	published := func(a addr.Address) string {
		t.Helper()
		b, err := r.service.Certificate(t.Context(), a.WKDHash(), a.Domain())
		if errors.Is(err, mailbox.ErrNoAccount) {
			return ""
		}
		cert, parseErr := pgp.ParseCert(b)
		if err := errors.Join(err, parseErr); err != nil {
			t.Fatal(err)
		}
		return string(cert.Fingerprint())
	}
	choose := func(a addr.Address, publish bool) {
		t.Helper()
		if err := x.SetAddressOptions(t.Context(), a, mailbox.AddressOptions{Publish: publish}); err != nil {
			t.Fatal(err)
		}
	}
	mail(anna, withKey(anna, anna, first.Cert()))
	if got := published(anna); got != "" {
		t.Error("a certificate is published that nobody wanted to be")
	}
	choose(anna, true)
	mail(anna, withKey(anna, bert, other.Cert()))
	mail(anna, withKey(anna, anna, other.Cert()))
	mail(anna, bytes.Replace(withKey(anna, anna, first.Cert()), []byte("Autocrypt: "), []byte("Autocrypt: a=b; "), 1))
	if published(anna) != "" || published(bert) != "" {
		t.Error("a certificate of somebody else is published")
	}
	for _, key := range []*pgp.Key{first, first, second} {
		mail(anna, withKey(anna, anna, key.Cert()))
		if got := published(anna); got != string(key.Fingerprint()) {
			t.Errorf("published is %q, want %s", got, key.Fingerprint())
		}
	}
	choose(aliasOfAnna, true)
	mail(aliasOfAnna, withKey(aliasOfAnna, aliasOfAnna, shared.Cert()))
	if got := published(aliasOfAnna); got != string(shared.Fingerprint()) {
		t.Errorf("published for the alias is %q", got)
	}
	choose(anna, false)
	if published(anna) != "" || published(aliasOfAnna) == "" {
		t.Error("taking one back did not take that one back, or not alone")
	}
	mail(anna, withKey(anna, anna, first.Cert()))
	if published(anna) != "" {
		t.Error("it is published again")
	}
}

// Whoever is connected can send as an alias once it is there, and no more when it is
// given up.
func TestAliasOfAConnection(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	c := sender(t, r, "anna")
	send := func() error {
		return c.SendMail(aliasOfAnna.String(), []string{"bert@here.example"}, strings.NewReader(
			"From: shop@here.example\r\nDate: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <1@here.example>\r\n\r\nhello\r\n"))
	}
	var refused *smtp.SMTPError
	if err := send(); !errors.As(err, &refused) || refused.Code != 553 {
		t.Errorf("before: %v", err)
	}
	x := r.owner(t, "anna")
	if err := x.AddAlias(t.Context(), aliasOfAnna); err != nil {
		t.Fatal(err)
	}
	if err := send(); err != nil {
		t.Errorf("then: %v", err)
	}
	if err := x.RetireAlias(t.Context(), aliasOfAnna); err != nil {
		t.Fatal(err)
	}
	if err := send(); !errors.As(err, &refused) || refused.Code != 553 {
		t.Errorf("afterwards: %v", err)
	}
}

package web_test

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// joe is the hash of "joe.doe", as gpg-wks-client makes it of Joe.Doe@Example.ORG.
const joe = "iy9q119eutrkn8s1mk4r39qejnbu3n5q"

func TestWKD(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cert := []byte("\x98a certificate")
	address := addr.MustParse("Joe.Doe@example.org")
	made, err := w.service.CreateAccount(t.Context(), address, mailbox.NewAccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.service.Publish(t.Context(), made.Account, address, mailbox.Certificate{Fingerprint: "1", Bytes: cert}); err != nil {
		t.Fatal(err)
	}
	const base = "/.well-known/openpgpkey/"
	tests := []struct {
		name, path string
		want       int
		body       string
	}{
		{"direct", base + "hu/" + joe, http.StatusOK, string(cert)},
		{"direct, with the local part", base + "hu/" + joe + "?l=Joe.Doe", http.StatusOK, string(cert)},
		{"advanced", base + "example.org/hu/" + joe + "?l=Joe.Doe", http.StatusOK, string(cert)},
		{"advanced, in capitals", base + "EXAMPLE.org/hu/" + joe, http.StatusOK, string(cert)},
		{"policy", base + "policy", http.StatusOK, ""},
		{"policy of the domain", base + "example.org/policy", http.StatusOK, ""},
		{"nobody", base + "hu/" + strings.Repeat("y", 32), http.StatusNotFound, "There is no certificate.\n"},
		{"another domain", base + "example.net/hu/" + joe, http.StatusNotFound, "-"},
		{"policy of another domain", base + "example.net/policy", http.StatusNotFound, "-"},
		{"no hash", base + "hu/joe.doe", http.StatusNotFound, "-"},
		{"a hash in capitals", base + "hu/" + strings.ToUpper(joe), http.StatusNotFound, "-"},
		{"the folder", base, http.StatusNotFound, "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(t, "GET", tt.path, "", "Host: openpgpkey.example.org").want(t, tt.want)
			if tt.body != "-" && a.body != tt.body {
				t.Errorf("got %q, want %q", a.body, tt.body)
			}
			if tt.want != http.StatusOK {
				return
			}
			if got := a.header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("Access-Control-Allow-Origin %q", got)
			}
			if got := a.header.Get("Content-Type"); tt.body != "" && got != "application/octet-stream" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
	if head := w.do(t, "HEAD", base+"hu/"+joe, "").want(t, http.StatusOK); head.header.Get("Content-Length") != "14" {
		t.Errorf("HEAD: %v", head.header)
	}
}

// newCert returns the certificate and the private key of an address, in armor.
func newCert(t *testing.T, address string) (cert *pgp.Cert, private []byte) {
	t.Helper()
	key, err := pgp.Generate(addr.MustParse(address), pgp.KeyOptions{Profile: pgp.Classic, Now: newClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	private, err = key.Armor(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key.Cert(), private
}

func TestPublish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe.doe")
	cert, private := newCert(t, "joe.doe@example.org")
	other, _ := newCert(t, "joe.doe@example.net")
	tests := []struct {
		name, text string
		want       int
		says       string
	}{
		{"nothing", "", http.StatusUnprocessableEntity, "not an OpenPGP certificate"},
		{"text", "my key", http.StatusUnprocessableEntity, "not an OpenPGP certificate"},
		{"of another address", string(other.Armor()), http.StatusUnprocessableEntity, "not for this address"},
		{"private key", string(private), http.StatusUnprocessableEntity, "never give it to anyone"},
		{"good", "\r\n" + string(cert.Armor()), http.StatusOK, "published, fingerprint " + string(cert.Fingerprint())},
	}
	for _, tt := range tests {
		page = w.act(t, page, "/account/publish", "text", tt.text).want(t, tt.want)
		if !strings.Contains(page.text(), tt.says) {
			t.Errorf("%s: the page says\n%s", tt.name, page.text())
		}
	}
	got := w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusOK)
	if got.body != string(cert.Bytes()) {
		t.Error("another certificate is served")
	}
	page = w.act(t, page, "/account/address").want(t, http.StatusOK)
	w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusNotFound)

	page = w.publishFile(t, page, cert.Bytes()).want(t, http.StatusOK)
	w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusOK)
	w.act(t, page, "/account/delete", "password", shown["Account password"], "sure", "yes").want(t, http.StatusOK)
	w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusNotFound)
}

// TestPublishOnce: a certificate that stands under one address is refused under
// another, also if it is for both, and whoever's that is.
func TestPublishOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, _ := w.owner(t, "joe.doe")
	page = w.act(t, page, "/account/alias", "name", "shop.one").want(t, http.StatusOK)
	cert, _ := newCert(t, "joe.doe@example.org")
	page = w.act(t, page, "/account/publish", "text", string(cert.Armor())).want(t, http.StatusOK)
	page = w.act(t, page, "/account/publish", "text", string(cert.Armor())).want(t, http.StatusOK)
	page = w.act(t, page, "/account/publish", "address", "shop.one@example.org", "text", string(cert.Armor())).want(t, http.StatusUnprocessableEntity)
	page = w.act(t, page, "/account/publish", "address", "else@example.org", "text", string(cert.Armor())).want(t, http.StatusUnprocessableEntity)
	joe, err := w.service.FindAccount(t.Context(), "joe.doe")
	if err != nil {
		t.Fatal(err)
	}
	same := mailbox.Certificate{Fingerprint: string(cert.Fingerprint()), Bytes: cert.Bytes()}
	if err := w.service.Publish(t.Context(), joe.ID, addr.MustParse("shop.one@example.org"), same); !errors.Is(err, mailbox.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	alias, _ := newCert(t, "shop.one@example.org")
	w.act(t, page, "/account/publish", "address", "shop.one@example.org", "text", string(alias.Armor())).want(t, http.StatusOK)
}

// publishFile sends the form as a browser does that has a file to send.
func (w *world) publishFile(t *testing.T, page answer, content []byte) answer {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name := range page.form(t, "/account/publish") {
		if err := form.WriteField(name, page.form(t, "/account/publish").Get(name)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := form.CreateFormFile("file", "joe.pgp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return w.do(t, "POST", "/account/publish", body.String(), "Content-Type: "+form.FormDataContentType())
}

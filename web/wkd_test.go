package web_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
	"github.com/restante/restante/web"
)

// directory keeps certificates in memory.
type directory struct {
	mu     sync.Mutex
	byHash map[string][]byte // by hash and domain
	byKey  map[string][]byte // by address
}

var _ web.Directory = (*directory)(nil)

func newDirectory() *directory {
	return &directory{byHash: map[string][]byte{}, byKey: map[string][]byte{}}
}

func (d *directory) Certificate(_ context.Context, hash, domain string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cert := d.byHash[hash+"@"+domain]; cert != nil {
		return cert, nil
	}
	return nil, mailbox.ErrNoAccount
}

func (d *directory) Published(_ context.Context, _ mailbox.AccountID, a addr.Address) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byKey[a.Key()], nil
}

func (d *directory) Publish(_ context.Context, _ mailbox.AccountID, a addr.Address, hash string, cert []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byKey[a.Key()], d.byHash[hash+"@"+a.Domain()] = cert, cert
	return nil
}

func withDirectory(d *directory) func(*options) {
	return func(o *options) { o.web.Directory = d }
}

// joe is the hash of "joe.doe", as gpg-wks-client makes it of Joe.Doe@Example.ORG.
const joe = "iy9q119eutrkn8s1mk4r39qejnbu3n5q"

func TestWKD(t *testing.T) {
	t.Parallel()
	d := newDirectory()
	w := newWorld(t, withDirectory(d))
	cert := []byte("\x98a certificate")
	if err := d.Publish(t.Context(), 1, addr.MustParse("Joe.Doe@example.org"), web.TestOnlyWKDHash("Joe.Doe"), cert); err != nil {
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

// TestWKDHash has vectors of GnuPG 2.2 (gpg --with-wkd-hash). Only ASCII letters are
// folded.
func TestWKDHash(t *testing.T) {
	t.Parallel()
	for local, want := range map[string]string{
		"joe.doe": joe, "Joe.Doe": joe, "a": "o556ep94wsu93ak7dzqmu4zk7e5zc37a",
		"k3xq7mzp2": "abofyx6gn7wkfanbb1k81d59oabiag51",
		"ÄRGER":     "ewd7piirpeasam9iz8or84x4be3xhxqw", "Ärger": "ewd7piirpeasam9iz8or84x4be3xhxqw",
	} {
		if got := web.TestOnlyWKDHash(local); got != want {
			t.Errorf("%s: got %s, want %s", local, got, want)
		}
	}
}

func TestNoWKD(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get(t, "/.well-known/openpgpkey/policy").want(t, http.StatusNotFound)
	page, _ := w.owner(t, "joe")
	if strings.Contains(page.body, "/account/publish") {
		t.Error("the account page offers what isn't there")
	}
	pass := page.form(t, "/account/device").Get("visit")
	w.post(t, "/account/publish", map[string][]string{"visit": {pass}}).want(t, http.StatusUnprocessableEntity)
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
	w := newWorld(t, withDirectory(newDirectory()))
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
		{"of another address", string(other.Armor()), http.StatusUnprocessableEntity, "not for the address"},
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
	page = w.act(t, page, "/account/unpublish").want(t, http.StatusOK)
	w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusNotFound)

	page = w.publishFile(t, page, cert.Bytes()).want(t, http.StatusOK)
	w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusOK)
	w.act(t, page, "/account/delete", "password", shown["Account password"], "sure", "yes").want(t, http.StatusOK)
	w.get(t, "/.well-known/openpgpkey/hu/"+joe).want(t, http.StatusNotFound)
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

// panicking is a directory with a fault.
type panicking struct{ *directory }

func (panicking) Certificate(context.Context, string, string) ([]byte, error) {
	panic("a loose thread")
}

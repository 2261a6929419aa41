//go:build e2e

package e2e

import (
	"crypto/sha256"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"testing"
)

// A visitor uses the pages of a relay as a browser does, but for their looks.
type visitor struct {
	t      *testing.T
	client http.Client
	base   string
	page   string // the last one
}

func (r *relay) visitor(t *testing.T) *visitor {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: r.tls(t)}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t: t, client: http.Client{Transport: transport, Timeout: patience}, base: "https://" + r.HTTPS}
}

// open gets a page.
func (v *visitor) open(path string) {
	v.t.Helper()
	v.keep(v.client.Get(v.base + path))
}

// post sends a form, given as names and values.
func (v *visitor) post(path string, fields ...string) {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	v.keep(v.client.PostForm(v.base+path, form))
}

func (v *visitor) keep(answer *http.Response, err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		v.t.Fatal(err)
	}
	if answer.StatusCode/100 != 2 {
		v.t.Fatalf("%s: %s\n%s", answer.Request.URL.Path, answer.Status, body)
	}
	v.page = string(body)
}

// hidden returns the value of a hidden field of the page.
func (v *visitor) hidden(name string) string {
	v.t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(v.page)
	if found == nil {
		v.t.Fatalf("there is no field %s in\n%s", name, v.page)
	}
	return html.UnescapeString(found[1])
}

// work finds the number that the page asks for in place of waiting: with it, the hash of
// the ticket begins with so many zero bits.
func (v *visitor) work(ticket string) string {
	v.t.Helper()
	found := regexp.MustCompile(`data-bits="([0-9]+)"`).FindStringSubmatch(v.page)
	if found == nil {
		v.t.Fatalf("the page asks for no work:\n%s", v.page)
	}
	zeros, err := strconv.Atoi(found[1])
	if err != nil || zeros > 32 {
		v.t.Fatalf("the page asks for work of %s bits", found[1])
	}
	for n := 0; ; n++ {
		sum := sha256.Sum256([]byte(ticket + ":" + strconv.Itoa(n)))
		if new(big.Int).SetBytes(sum[:]).BitLen() <= 8*len(sum)-zeros {
			return strconv.Itoa(n)
		}
	}
}

// secrets returns what the page shows once.
func (v *visitor) secrets(n int) []string {
	v.t.Helper()
	var all []string
	for _, found := range regexp.MustCompile(`class="secret">([^<]*)<`).FindAllStringSubmatch(v.page, -1) {
		all = append(all, html.UnescapeString(found[1]))
	}
	if len(all) < n {
		v.t.Fatalf("the page shows %d secrets, want %d:\n%s", len(all), n, v.page)
	}
	return all
}

// signUp makes an account by the sign-up page, which publishes the key that the mail
// program sends along. It returns the account with its first device password, and the
// account password, which opens the account page.
func (r *relay) signUp(t *testing.T) (a account, secret string) {
	t.Helper()
	v := r.visitor(t)
	v.open("/join")
	ticket := v.hidden("ticket")
	v.post("/join", "ticket", ticket, "work", v.work(ticket), "name", "", "publish", "yes")
	shown := v.secrets(3)
	return account{Address: shown[0], Password: shown[1]}, shown[2]
}

// keeper makes a device password, by the account page, whose device deletes for itself
// only.
func (r *relay) keeper(t *testing.T, address, secret string) account {
	t.Helper()
	v := r.visitor(t)
	v.post("/account/login", "address", address, "password", secret)
	v.post("/account/device", "visit", v.hidden("visit"), "label", "Delta Chat", "keeps", "yes")
	return account{Address: address, Password: v.secrets(1)[0]}
}

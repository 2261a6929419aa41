package web_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/restante/restante/web"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("x", 300<<10)
	const form = "Content-Type: application/x-www-form-urlencoded"
	const parts = "Content-Type: multipart/form-data; boundary=b"
	tests := []struct {
		name, method, path, body, header string
		want                             int
	}{
		{"first page", "GET", "/", "", "", http.StatusOK},
		{"its head", "HEAD", "/", "", "", http.StatusOK},
		{"programs", "GET", "/clients", "", "", http.StatusOK},
		{"login form", "GET", "/account", "", "", http.StatusOK},
		{"recovery form", "GET", "/account/recover", "", "", http.StatusOK},
		{"no such page", "GET", "/wp-login.php", "", "", http.StatusNotFound},
		{"no such file", "GET", "/templates/layout.html", "", "", http.StatusNotFound},
		{"up the tree", "GET", "/..%2f..%2fetc/passwd", "", "", http.StatusNotFound},
		{"no certificate of its own", "GET", "/ca.pem", "", "", http.StatusNotFound},
		{"action by GET", "GET", "/account/delete", "", "", http.StatusNotFound},
		{"action without a visit", "POST", "/account/delete", "", form, http.StatusForbidden},
		{"form too large", "POST", "/join", "name=" + long, form, http.StatusRequestEntityTooLarge},
		{"login too large", "POST", "/account/login", "address=" + long, form, http.StatusRequestEntityTooLarge},
		{"upload too large", "POST", "/account/publish", "--b\r\nContent-Disposition: form-data; name=text\r\n\r\n" + long, parts, http.StatusRequestEntityTooLarge},
		{"broken form", "POST", "/join", "name=%zz", form, http.StatusBadRequest},
		{"broken upload", "POST", "/account/publish", "--c", parts, http.StatusBadRequest},
		{"upload without boundary", "POST", "/account/publish", "x", "Content-Type: multipart/form-data", http.StatusBadRequest},
		{"JSON for a form", "POST", "/account/login", `{"address":"joe"}`, "Content-Type: application/json", http.StatusForbidden},
		{"form of another site", "POST", "/join", "name=joe", "Sec-Fetch-Site: cross-site", http.StatusForbidden},
		{"program of another site", "POST", "/new", "", "Sec-Fetch-Site: cross-site", http.StatusForbidden},
		{"program of our own", "POST", "/new", "", "Sec-Fetch-Site: same-origin", http.StatusOK},
		{"style", "GET", "/style.css", "", "", http.StatusOK},
		{"robots", "GET", "/robots.txt", "", "", http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := tt.header
			if header == "" {
				header = "Accept: text/html"
			}
			a := w.do(t, tt.method, tt.path, tt.body, header).want(t, tt.want)
			if strings.Contains(a.body, "goroutine") || strings.Contains(a.body, "mailbox:") {
				t.Errorf("the answer has words of the program:\n%s", a.text())
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/", "/join", "/account", "/no-such-page", "/style.css", "/work.js", "/mail/config-v1.1.xml"} {
		h := w.get(t, path).header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy":        "no-referrer",
			"X-Content-Type-Options": "nosniff",
			"Set-Cookie":             "",
			"Server":                 "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	if got := w.get(t, "/join").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control of a page is %q", got)
	}
}

func TestStaticFilesAreFetchedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, kind := range map[string]string{"/style.css": "text/css", "/work.js": "text/javascript", "/icon.svg": "image/svg+xml"} {
		a := w.get(t, path).want(t, http.StatusOK)
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, kind) {
			t.Errorf("%s: Content-Type %q, want %s", path, got, kind)
		}
		w.do(t, "GET", path, "", "If-None-Match: "+a.header.Get("ETag")).want(t, http.StatusNotModified)
	}
}

// allPages returns each page there is, as a visitor gets to see it.
func allPages(t *testing.T) map[string]answer {
	w := newWorld(t, withTokens(t, web.Open), func(o *options) { o.web.CA, o.web.Cleartext = []byte("a certificate"), true })
	closed := newWorld(t, func(o *options) { o.signup.Policy = web.Closed })
	byToken := newWorld(t, withTokens(t, web.Token))
	made, shown := w.signUp(t, "joe")
	account := w.enter(t, "joe", shown["Account password"])
	cert, _ := newCert(t, "joe@example.org")
	aliased := w.act(t, account, "/account/alias", "name", "shop.one").want(t, http.StatusOK)
	blocked := w.act(t, aliased, "/account/block", "sender", "@example.net").want(t, http.StatusOK)
	published := w.act(t, blocked, "/account/publish", "text", string(cert.Armor())).want(t, http.StatusOK)
	open := newWorld(t)
	return map[string]answer{
		"home": open.get(t, "/"), "home closed": closed.get(t, "/"), "home token": byToken.get(t, "/"), "own certificate": w.get(t, "/"),
		"clients": w.get(t, "/clients"), "join": w.get(t, "/join"), "join by token": byToken.get(t, "/join"),
		"join early": w.post(t, "/join", w.get(t, "/join").form(t, "/join")), "made": made,
		"login": w.get(t, "/account"), "login failed": w.enter(t, `"><script>`, "x"), "recover": w.get(t, "/account/recover"),
		"account": account, "published": published, "failed": w.act(t, published, "/account/password", "password", "wrong"),
		"not found": w.get(t, "/no-such-page"),
	}
}

// TestPagesAreAccessible checks what programs can check of accessibility, and that
// nothing on a page would be refused by the content policy.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	for name, page := range allPages(t) {
		t.Run(name, func(t *testing.T) {
			labels, ids, heads := map[string]bool{}, map[string]bool{}, 0
			page.walk(t, func(n *html.Node) {
				if to, ok := attr(n, "for"); ok {
					labels[to] = true
				}
				if id, ok := attr(n, "id"); ok && ids[id] {
					t.Errorf("two elements have the id %s", id)
				} else if ok {
					ids[id] = true
				}
				if n.Data == "h1" {
					heads++
				}
			})
			if heads != 1 {
				t.Errorf("%d first headings", heads)
			}
			page.walk(t, func(n *html.Node) { checkNode(t, n, labels, ids) })
			if !strings.Contains(page.body, `<html lang="en">`) || !strings.Contains(page.body, "<!doctype html>") {
				t.Error("no language or no doctype")
			}
		})
	}
}

func checkNode(t *testing.T, n *html.Node, labels, ids map[string]bool) {
	t.Helper()
	for _, a := range n.Attr {
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
			t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
		}
		if (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") &&
			!strings.HasPrefix(a.Val, "dclogin:") && !strings.HasPrefix(a.Val, "dcaccount:") {
			t.Errorf("<%s> leads to %s", n.Data, a.Val)
		}
		if strings.Contains(a.Val, "ZgotmplZ") {
			t.Errorf("<%s> has a value that the template refused", n.Data)
		}
		if a.Key == "aria-labelledby" && !ids[a.Val] {
			t.Errorf("<%s> is labelled by %s, which is not there", n.Data, a.Val)
		}
	}
	if n.Type != html.ElementNode {
		return
	}
	id, _ := attr(n, "id")
	kind, _ := attr(n, "type")
	switch n.Data {
	case "input", "textarea", "select":
		if kind != "hidden" && !labels[id] && n.Parent.Data != "label" {
			t.Errorf("a field has no label: %v", n.Attr)
		}
	case "button", "a", "summary", "th":
		_, labelled := attr(n, "aria-label")
		if inner(n) == "" && !labelled && n.Data != "th" {
			t.Errorf("<%s> says nothing", n.Data)
		}
	case "svg":
		_, hidden := attr(n, "aria-hidden")
		if _, labelled := attr(n, "aria-label"); !hidden && !labelled {
			t.Error("a picture has no label")
		}
	case "style", "iframe", "object", "embed", "img":
		t.Errorf("there is a <%s>", n.Data)
	case "script":
		if inner(n) != "" {
			t.Error("there is a script in the page")
		}
	}
}

func TestClosedRelayTellsWhatToDo(t *testing.T) {
	t.Parallel()
	pages := allPages(t)
	for name, want := range map[string]string{
		"home":          "Scan this in Delta Chat",
		"home closed":   "ask for an account",
		"home token":    "You need a token",
		"join by token": "restante-token-1-",
		"clients":       "certification authority of its own",
		"made":          "Recovery sheet for joe@example.org",
		"join early":    "Not yet",
		"published":     "published, fingerprint",
	} {
		if !strings.Contains(pages[name].text(), want) {
			t.Errorf("%s does not say %q:\n%s", name, want, pages[name].text())
		}
	}
	// Without a public certificate, dcaccount: can't work.
	if strings.Contains(pages["own certificate"].body, "dcaccount:") {
		t.Error("the first page has a link that Delta Chat refuses")
	}
}

package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// paperDesk answers from a paper, and notes what it was asked to do.
type paperDesk struct {
	state State
	done  []string
}

func (d *paperDesk) State(context.Context) (State, error) { return d.state, nil }

func (d *paperDesk) Invite(_ context.Context, group string) (string, error) {
	return "https://i.delta.chat/#" + group, nil
}

func (d *paperDesk) Follow(_ context.Context, link string) (string, error) {
	if link == "bad" {
		return "", errors.New("that is no <invitation>")
	}
	return "You and bob have verified each other.", nil
}

func (d *paperDesk) Decide(_ context.Context, address, said string, refuse bool) error {
	if refuse {
		d.done = append(d.done, "refuse "+address)
		return nil
	}
	d.done = append(d.done, "take "+address+" "+said)
	return nil
}

func (d *paperDesk) Mend(_ context.Context, action string) (string, error) {
	if action != "retry" {
		return "", errors.New("no such action")
	}
	d.done = append(d.done, action)
	return "It is tried again.", nil
}

func (d *paperDesk) StartPairing(context.Context) error {
	d.state.Pairing = &Pairing{Code: "1234-5678", Link: "restante-pair:x"}
	return nil
}

func (d *paperDesk) EndPairing() { d.state.Pairing = nil }

func (d *paperDesk) AddDevice(_ context.Context, name string) (Offer, error) {
	if name == "<phone>" {
		return Offer{}, errors.New("there is a device of that name")
	}
	return Offer{Device: name, Link: "https://192.168.1.5:1443/abc/", Certificate: "AB:CD", Thunderbird: "[1]"}, nil
}

func (d *paperDesk) RevokeDevice(_ context.Context, name string) error {
	d.done = append(d.done, "revoke "+name)
	return nil
}

func testPage() (*Page, *paperDesk) {
	d := &paperDesk{state: State{
		Address: "alice@relay.test", Words: "one two three", Fingerprint: "AAAA BBBB", Problems: []Problem{{"Mail waits.", "retry", "Try again now"}}, Phones: "192.168.1.5",
		Devices: []Device{{"<phone>", "2026-11-23"}},
		Rows:    [][2]string{{"Mail", "up to date"}}, Groups: []string{"family"},
		Contacts: []Contact{
			{Address: "bob@relay.test", Standing: "verified", Words: "four five", Fingerprint: "DDDD EEEE"},
			{Address: "<eve>@relay.test", Standing: "changed", NewFingerprint: "CCCC"},
		},
	}}
	return New(Options{Desk: d}), d
}

func do(p *Page, method, path string, form url.Values) *httptest.ResponseRecorder {
	return ask(p.handler, method, path, form)
}

func ask(h http.Handler, method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:1"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHome(t *testing.T) {
	t.Parallel()
	p, _ := testPage()
	w := do(p, "GET", "/"+p.token+"/", nil)
	text := w.Body.String()
	for _, want := range []string{"alice@relay.test", "one two three", "Mail waits.", ">Try again now</button>", "&lt;phone&gt;, since 2026-11-23", "bob@relay.test", "&lt;eve&gt;@relay.test</h3>", "<option>family"} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.TrimSuffix(want, "</h3>")) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "<eve>") || strings.Contains(text, "<script") {
		t.Error("a contact's address became markup, or there is a script")
	}
	if w := do(p, "GET", "/"+p.token+"/style.css", nil); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("style: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	p, d := testPage()
	tests := []struct {
		name, path string
		form       url.Values
		code       int
		want       string
	}{
		{"invite", "invite", url.Values{"group": {"family"}}, 200, "https://i.delta.chat/#family"},
		{"follow", "follow", url.Values{"link": {" x "}}, 200, "verified each other"},
		{"follow nonsense", "follow", url.Values{"link": {"bad"}}, 422, "that is no &lt;invitation&gt;"},
		{"take", "decide", url.Values{"address": {"e@x"}, "said": {"w"}, "decision": {"accept"}}, 200, "new key is verified"},
		{"mend", "mend", url.Values{"action": {"retry"}}, 200, "It is tried again."},
		{"mend nonsense", "mend", url.Values{"action": {"x"}}, 422, "no such action"},
		{"add a phone", "device", url.Values{"name": {" tablet "}}, 200, "https://192.168.1.5:1443/abc/"},
		{"add it again", "device", url.Values{"name": {"<phone>"}}, 422, "of that name"},
		{"revoke", "revoke", url.Values{"name": {"<phone>"}}, 200, "&lt;phone&gt; is logged out"},
		{"a contact's code", "key", url.Values{"of": {"bob@relay.test"}}, 200, "QR code of the key of bob@relay.test"},
		{"the user's code", "key", url.Values{"of": {"alice@relay.test"}}, 200, "QR code of the key of alice@relay.test"},
		{"a stranger's code", "key", url.Values{"of": {"<x>"}}, 422, "no key of that address"},
		{"refuse", "decide", url.Values{"address": {"e@x"}, "decision": {"refuse"}}, 200, "was refused"},
	}
	for _, test := range tests {
		w := do(p, "POST", "/"+p.token+"/"+test.path, test.form)
		if w.Code != test.code || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s: got %d and\n%s\nwant %d and %q", test.name, w.Code, w.Body, test.code, test.want)
		}
	}
	if got := strings.Join(d.done, ", "); got != "take e@x w, retry, revoke <phone>, refuse e@x" {
		t.Errorf("done: %s", got)
	}
}

// TestPairing: the code is on the page until it is of no use any more, and the page looks
// again by itself meanwhile.
func TestPairing(t *testing.T) {
	t.Parallel()
	p, d := testPage()
	const again = `http-equiv="refresh"`
	if text := do(p, "GET", "/"+p.token+"/", nil).Body.String(); strings.Contains(text, again) || !strings.Contains(text, "Show a code for it") {
		t.Errorf("before:\n%s", text)
	}
	text := do(p, "POST", "/"+p.token+"/pair", nil).Body.String()
	for _, want := range []string{"1234-5678", "restante-pair:x", "QR code for your other machine", again} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	d.state.Pairing = &Pairing{Ended: "The other machine has everything."}
	if text := do(p, "GET", "/"+p.token+"/", nil).Body.String(); strings.Contains(text, again) || !strings.Contains(text, "has everything") {
		t.Errorf("after:\n%s", text)
	}
	do(p, "POST", "/"+p.token+"/pair", nil)
	if text := do(p, "POST", "/"+p.token+"/pair", url.Values{"end": {"1"}}).Body.String(); strings.Contains(text, "1234-5678") {
		t.Error("the code is still there after the wait was ended")
	}
}

// TestCalm: the page says that there are no problems if there are none, and a changed key
// is one.
func TestCalm(t *testing.T) {
	t.Parallel()
	p, d := testPage()
	const calm = "There are no problems."
	d.state.Problems = nil
	if text := do(p, "GET", "/"+p.token+"/", nil).Body.String(); strings.Contains(text, calm) {
		t.Error("a changed key counts as no problem")
	}
	d.state.Contacts = d.state.Contacts[:1]
	if text := do(p, "GET", "/"+p.token+"/", nil).Body.String(); !strings.Contains(text, calm) {
		t.Error("without problems the page does not say so")
	}
}

// TestStrangers: without the token, or under a foreign name, there is nothing.
func TestStrangers(t *testing.T) {
	t.Parallel()
	p, d := testPage()
	for _, path := range []string{"/", "/x/", "/x/style.css", "/" + p.token[:len(p.token)-1] + "/", "/" + p.token + "x/"} {
		if w := do(p, "GET", path, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
	if w := do(p, "POST", "/x/decide", url.Values{"address": {"e@x"}}); w.Code != http.StatusNotFound || len(d.done) > 0 {
		t.Errorf("a stranger decided: %d %v", w.Code, d.done)
	}
	r := httptest.NewRequest("GET", "http://evil.test/"+p.token+"/", nil)
	w := httptest.NewRecorder()
	if p.handler.ServeHTTP(w, r); w.Code != http.StatusNotFound {
		t.Errorf("a foreign name: got %d", w.Code)
	}
	if w := do(p, "GET", "/"+p.token+"/decide", nil); w.Code == http.StatusOK {
		t.Error("a GET decides")
	}
}

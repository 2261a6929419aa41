package page

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paperNewcomer is at the step that the test says.
type paperNewcomer struct {
	state  Joining
	claims []Claim
}

func (n *paperNewcomer) Join(_ context.Context, c Claim) error {
	if c.Text == "bad" {
		return errors.New("that is no <link>")
	}
	n.claims = append(n.claims, c)
	n.state = Joining{Steps: []string{"Log in", "Prove", "Take"}}
	return nil
}

func (n *paperNewcomer) Joining() Joining { return n.state }

// TestWelcome: what is typed is taken once, its way is shown, and neither a code nor a
// password is said again.
func TestWelcome(t *testing.T) {
	t.Parallel()
	n := &paperNewcomer{}
	w := NewWelcome(n)
	post := func(form url.Values) (int, string) {
		r := ask(w.own, "POST", "/"+w.token+"/join", form)
		return r.Code, r.Body.String()
	}
	home := func() string { return ask(w.own, "GET", "/"+w.token+"/", nil).Body.String() }
	const again, form = `http-equiv="refresh"`, `action="join"`
	expect := func(text string, has, lacks []string) {
		t.Helper()
		for _, s := range has {
			if !strings.Contains(text, s) {
				t.Errorf("there is no %q in\n%s", s, text)
			}
		}
		for _, s := range lacks {
			if strings.Contains(text, s) {
				t.Errorf("there is %q in\n%s", s, text)
			}
		}
	}
	expect(home(), []string{form}, []string{again, "<li>", "<script"})
	code, text := post(url.Values{"code": {"bad"}, "address": {"ann@relay.test"}, "password": {"hush-hush"}, "imap": {"i.test"}})
	expect(text, []string{"that is no &lt;link&gt;", `value="ann@relay.test"`, `value="i.test"`, form}, []string{"hush-hush", `"bad"`, again})
	if code != http.StatusUnprocessableEntity {
		t.Errorf("a refusal is answered with %d", code)
	}
	if code, _ := post(url.Values{"code": {" "}}); code != http.StatusUnprocessableEntity || len(n.claims) > 0 {
		t.Errorf("an empty form: %d, %v", code, n.claims)
	}

	_, text = post(url.Values{"code": {" 1234-5678 "}, "address": {" ann@relay.test"}, "password": {" hush-hush"}})
	expect(text, []string{again, "Log in</span> <span class=\"quiet\">goes on", "Take</span> <span class=\"quiet\">to come"}, []string{form, "hush-hush", "1234-5678"})
	if diff := cmp.Diff(n.claims, []Claim{{Text: "1234-5678", Address: "ann@relay.test", Password: " hush-hush"}}); diff != "" {
		t.Error(diff)
	}
	n.state.At, n.state.Fault = 1, "The code was <wrong>."
	expect(home(), []string{form, "The code was &lt;wrong&gt;.", "Log in</span> <span class=\"quiet\">done", "Prove</span> <span class=\"quiet\">failed"}, []string{again})
}

// TestWelcomeStrangers: as on the gateway's own page, without the token there is nothing.
func TestWelcomeStrangers(t *testing.T) {
	t.Parallel()
	n := &paperNewcomer{}
	w := NewWelcome(n)
	for _, path := range []string{"/", "/x/", "/" + w.token + "x/"} {
		if r := ask(w.own, "GET", path, nil); r.Code != http.StatusNotFound {
			t.Errorf("%s: got %d", path, r.Code)
		}
	}
	if r := ask(w.own, "POST", "/x/join", url.Values{"code": {"1"}}); r.Code != http.StatusNotFound || len(n.claims) > 0 {
		t.Errorf("a stranger joined: %d %v", r.Code, n.claims)
	}
}

// TestFollows: the gateway's page comes at the address of the one before, and says once
// where everything came from.
func TestFollows(t *testing.T) {
	t.Parallel()
	w := NewWelcome(&paperNewcomer{})
	_, d := testPage()
	p := New(Options{Desk: d, Welcome: w})
	const news = "Everything from your other machine is here"
	for i, want := range []bool{true, false} {
		r := do(p, "GET", "/"+w.token+"/", nil)
		if got := strings.Contains(r.Body.String(), news); r.Code != http.StatusOK || got != want {
			t.Errorf("look %d: %d, news %v, want %v", i, r.Code, got, want)
		}
	}
}

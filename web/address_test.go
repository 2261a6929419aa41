package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/web"
)

func TestAccountAliases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, other := w.signUp(t, "jane")
	page, shown := w.owner(t, "joe")
	for _, tt := range []struct {
		name string
		want int
	}{{"jane", http.StatusConflict}, {"joe", http.StatusConflict}, {"postmaster", http.StatusUnprocessableEntity}, {"a b", http.StatusUnprocessableEntity}} {
		page = w.act(t, page, "/account/alias", "name", tt.name).want(t, tt.want)
	}
	page = w.act(t, page, "/account/alias", "name", "shop.one").want(t, http.StatusOK)
	page = w.act(t, page, "/account/alias").want(t, http.StatusOK)
	if !regexp.MustCompile(`one more address: [a-z0-9]+@example\.org`).MatchString(page.text()) {
		t.Errorf("the page says\n%s", page.text())
	}
	w.login(t, "shop.one", shown["Account password"])
	if _, err := w.service.Recipient(t.Context(), addr.MustParse("shop.one@example.org"), 0); err != nil {
		t.Errorf("mail to the alias: %v", err)
	}

	// The first form is that of the first address, which can be given up as well.
	w.act(t, page, "/account/retire", "password", "wrong").want(t, http.StatusForbidden)
	page = w.enter(t, "shop.one", shown["Account password"]).want(t, http.StatusOK)
	page = w.act(t, page, "/account/retire", "password", shown["Account password"]).want(t, http.StatusOK)
	w.loginFails(t, "joe", shown["Account password"])
	if strings.Contains(page.text(), "joe@example.org") {
		t.Errorf("the address is still there:\n%s", page.text())
	}
	page = w.act(t, page, "/account/alias", "name", "joe").want(t, http.StatusConflict) // not even he
	jane := w.enter(t, "jane", other["Account password"]).want(t, http.StatusOK)
	jane = w.act(t, jane, "/account/alias", "name", "joe").want(t, http.StatusConflict)
	w.post(t, "/account/retire", url.Values{"visit": jane.form(t, "/account/alias")["visit"],
		"address": {"shop.one@example.org"}, "password": {other["Account password"]}}).want(t, http.StatusConflict)
	if _, err := w.service.Recipient(t.Context(), addr.MustParse("shop.one@example.org"), 0); err != nil {
		t.Errorf("jane has given up joe's address: %v", err)
	}
	// The visit goes on under an address that is left.
	page = w.act(t, page, "/account/code", "password", shown["Account password"]).want(t, http.StatusOK)
	page = w.act(t, page, "/account/retire", "password", shown["Account password"]).want(t, http.StatusOK)
	if strings.Contains(page.body, "/account/retire") {
		t.Error("the page offers to give up the last address")
	}
}

func TestAccountChoices(t *testing.T) {
	t.Parallel()
	for _, may := range []bool{true, false} {
		w := newWorld(t, func(o *options) { o.web.Cleartext = may })
		page, _ := w.owner(t, "joe")
		page = w.act(t, page, "/account/address", "publish", "yes", "cleartext", "yes").want(t, http.StatusOK)
		r, err := w.service.Recipient(t.Context(), addr.MustParse("joe@example.org"), 0)
		if err != nil || !r.Options.Publish || r.Options.Cleartext != may {
			t.Errorf("cleartext allowed %v: got %+v, %v", may, r.Options, err)
		}
		if got := strings.Contains(page.text(), "Take mail from outside that is not encrypted"); got != may {
			t.Errorf("cleartext allowed %v, offered %v", may, got)
		}
		w.act(t, page, "/account/address").want(t, http.StatusOK)
		if r, err = w.service.Recipient(t.Context(), addr.MustParse("joe@example.org"), 0); err != nil || r.Options.Publish || r.Options.Cleartext {
			t.Errorf("afterwards: %+v, %v", r.Options, err)
		}
	}
}

// TestJoinPublishes: whoever wants to be found says so when signing up.
func TestJoinPublishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTokens(t, web.Open))
	for name, tick := range map[string]string{"joe": "yes", "jane": ""} {
		form := w.get(t, "/join").form(t, "/join")
		form.Set("name", name)
		form.Set("publish", tick)
		w.clock.advance(10 * time.Second)
		w.post(t, "/join", form).want(t, http.StatusCreated)
		r, err := w.service.Recipient(t.Context(), addr.MustParse(name+"@example.org"), 0)
		if err != nil || r.Options.Publish != (tick != "") {
			t.Errorf("%s: %+v, %v", name, r.Options, err)
		}
	}
}

func TestAccountBlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, _ := w.owner(t, "joe")
	page = w.act(t, page, "/account/block", "sender", "nobody").want(t, http.StatusUnprocessableEntity)
	page = w.act(t, page, "/account/block", "sender", "Eve@Example.NET").want(t, http.StatusOK)
	page = w.act(t, page, "/account/block", "sender", "@example.com").want(t, http.StatusOK)
	me, err := w.service.Recipient(t.Context(), addr.MustParse("joe@example.org"), 0)
	if err != nil {
		t.Fatal(err)
	}
	blocks := func(from string) bool {
		t.Helper()
		got, err := w.service.Blocks(t.Context(), me, addr.MustParse(from))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for from, want := range map[string]bool{"eve@example.net": true, "EVE@example.net": true, "x@example.com": true, "x@sub.example.com": false, "jane@example.net": false} {
		if got := blocks(from); got != want {
			t.Errorf("%s is blocked: %v", from, got)
		}
	}
	if !strings.Contains(page.text(), "@example.com Unblock eve@example.net Unblock") {
		t.Errorf("the page says\n%s", page.text())
	}
	page = w.act(t, page, "/account/unblock", "sender", "x").want(t, http.StatusUnprocessableEntity)
	w.act(t, page, "/account/unblock").want(t, http.StatusOK) // the first form
	if blocks("x@example.com") || !blocks("eve@example.net") {
		t.Error("another sender was unblocked than the page named")
	}
}

func TestAccountDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	x := w.login(t, "joe", shown["Account password"])
	form := page.form(t, "/account/days")
	days := func() map[string]int {
		t.Helper()
		terms, err := x.MailboxTerms(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, term := range terms {
			got[term.Name] = term.Days
		}
		return got
	}
	if len(form) != 1+len(days()) {
		t.Fatalf("the form has the fields %v", form)
	}
	page = w.act(t, page, "/account/days", "days-1", "3").want(t, http.StatusOK)
	page = w.act(t, page, "/account/days", "days-1", "a week").want(t, http.StatusUnprocessableEntity)
	page = w.act(t, page, "/account/days", "days-1", "-2").want(t, http.StatusUnprocessableEntity)
	if got := days()["INBOX"]; got != 3 {
		t.Errorf("INBOX keeps mail for %d days, want 3", got)
	}
	if page.form(t, "/account/days").Get("days-1") != "3" {
		t.Error("the page does not show the owner's term")
	}
	w.act(t, page, "/account/days", "days-1", "").want(t, http.StatusOK)
	if got := days()["INBOX"]; got != 0 {
		t.Errorf("INBOX keeps mail for %d days, want for ever", got)
	}
}

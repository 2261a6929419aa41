package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web"
)

// owner makes an account and logs in to the account page.
func (w *world) owner(t *testing.T, name string) (page answer, shown map[string]string) {
	t.Helper()
	_, shown = w.signUp(t, name)
	page = w.enter(t, shown["Address"], shown["Account password"]).want(t, http.StatusOK)
	return page, shown
}

// enter logs in to the account page.
func (w *world) enter(t *testing.T, address, password string) answer {
	t.Helper()
	return w.post(t, "/account/login", url.Values{"address": {address}, "password": {password}})
}

// act sends a form of the account page with some fields filled in.
func (w *world) act(t *testing.T, page answer, action string, fields ...string) answer {
	t.Helper()
	form := page.form(t, action)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return w.post(t, action, form)
}

// secretIn returns the one secret that a page shows after an action.
func secretIn(t *testing.T, page answer) string {
	t.Helper()
	list := page.secrets(t)
	if len(list) != 1 {
		t.Fatalf("the page shows %d secrets:\n%s", len(list), page.text())
	}
	for _, s := range list {
		return s
	}
	return ""
}

func (w *world) loginFails(t *testing.T, user, secret string) {
	t.Helper()
	if _, err := w.service.Login(t.Context(), mailbox.Login{User: user, Secret: secret}); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("login: %v, want ErrAuth", err)
	}
}

func TestAccountDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	if !strings.Contains(page.text(), "first device 4 May 2026") {
		t.Errorf("the first device is not listed:\n%s", page.text())
	}
	page = w.act(t, page, "/account/device", "label", "Laptop & <b>phone</b>").want(t, http.StatusOK)
	w.login(t, "joe", secretIn(t, page))
	if !strings.Contains(page.text(), "Laptop & <b>phone</b>") {
		t.Errorf("the label is not shown as it was typed:\n%s", page.text())
	}
	page = w.act(t, page, "/account/device", "label", strings.Repeat("x", 65)).want(t, http.StatusUnprocessableEntity)

	page = w.act(t, page, "/account/device", "label", "Chat", "keeps", "yes").want(t, http.StatusOK)
	keeping, err := w.service.Login(t.Context(), mailbox.Login{User: "joe", Secret: secretIn(t, page)})
	if err != nil || !keeping.Keeps() || !strings.Contains(page.text(), "Chat deletes for itself only") {
		t.Errorf("a device that may not expunge: %v\n%s", err, page.text())
	}
	keeping.Close()

	// The first revoke form is that of the first device.
	page = w.enter(t, "joe", shown["Account password"])
	page = w.act(t, page, "/account/revoke").want(t, http.StatusOK)
	w.act(t, page, "/account/revoke", "device", "17").want(t, http.StatusConflict)
	if got := strings.Count(page.body, `action="/account/revoke"`); got != 2 {
		t.Errorf("%d devices are left, want 2", got)
	}
}

func TestAccountRevokesTheDeviceItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	page = w.act(t, page, "/account/revoke").want(t, http.StatusOK)
	w.loginFails(t, "joe", shown["Device password"])
	if !strings.Contains(page.text(), "There is none yet.") {
		t.Errorf("a device is left:\n%s", page.text())
	}
}

func TestAccountPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	tests := []struct {
		name            string
		old, new, again string
		want            int
	}{
		{"wrong", "wrong", "a long password", "a long password", http.StatusForbidden},
		{"a device's", shown["Device password"], "a long password", "a long password", http.StatusForbidden},
		{"two typings", shown["Account password"], "a long password", "a lang password", http.StatusUnprocessableEntity},
		{"short", shown["Account password"], "short", "short", http.StatusUnprocessableEntity},
		{"like a secret", shown["Account password"], shown["Recovery code"], shown["Recovery code"], http.StatusUnprocessableEntity},
		{"chosen", shown["Account password"], "a long password", "a long password", http.StatusOK},
	}
	for _, tt := range tests {
		page = w.act(t, page, "/account/password", "password", tt.old, "new", tt.new, "again", tt.again)
		if page.code != tt.want {
			t.Fatalf("%s: status %d, want %d:\n%s", tt.name, page.code, tt.want, page.text())
		}
	}
	w.login(t, "joe", "a long password")
	w.loginFails(t, "joe", shown["Account password"])
	// The visit goes on, and a generated password is shown.
	page = w.act(t, page, "/account/password", "password", "a long password").want(t, http.StatusOK)
	w.login(t, "joe", secretIn(t, page))
	w.act(t, page, "/account/device", "label", "x").want(t, http.StatusOK)
}

// TestAccountKeys: new keys, alone or with the password, keep every secret and the visit.
func TestAccountKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	generation := func() uint32 {
		info, err := w.service.FindAccount(t.Context(), "joe")
		if err != nil {
			t.Fatal(err)
		}
		return info.Key.Generation
	}
	page = w.act(t, page, "/account/keys", "password", "wrong").want(t, http.StatusForbidden)
	page = w.act(t, page, "/account/keys", "password", shown["Device password"]).want(t, http.StatusForbidden)
	if got := generation(); got != 1 {
		t.Errorf("a wrong password made key %d", got)
	}
	page = w.act(t, page, "/account/keys", "password", shown["Account password"]).want(t, http.StatusOK)
	if got := generation(); got != 2 || !strings.Contains(page.text(), "The account has new keys.") || !strings.Contains(page.text(), "first device") {
		t.Errorf("key %d, and the page says\n%s", got, page.text())
	}
	page = w.act(t, page, "/account/password", "password", shown["Account password"], "new", "a long password", "again", "a long password", "keys", "yes").want(t, http.StatusOK)
	if got := generation(); got != 3 || !strings.Contains(page.text(), "and the account has new keys.") {
		t.Errorf("key %d, and the page says\n%s", got, page.text())
	}
	w.act(t, page, "/account/device", "label", "x").want(t, http.StatusOK)
	w.login(t, "joe", shown["Device password"])
	w.login(t, "joe", "a long password")
	w.loginFails(t, "joe", shown["Account password"])
}

func TestAccountRecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	w.act(t, page, "/account/code", "password", "wrong").want(t, http.StatusForbidden)
	page = w.enter(t, "joe", shown["Account password"])
	code := secretIn(t, w.act(t, page, "/account/code", "password", shown["Account password"]).want(t, http.StatusOK))

	form := w.get(t, "/account/recover").want(t, http.StatusOK).form(t, "/account/recover")
	form.Set("address", "joe@example.org")
	form.Set("code", shown["Recovery code"])
	w.post(t, "/account/recover", form).want(t, http.StatusForbidden)
	form.Set("code", code)
	form.Set("new", "a long password")
	w.post(t, "/account/recover", form).want(t, http.StatusUnprocessableEntity)
	form.Set("again", "a long password")
	if got := w.post(t, "/account/recover", form).want(t, http.StatusOK).secrets(t); len(got) != 0 {
		t.Error("a password that he typed is shown")
	}
	w.login(t, "joe", "a long password")
	form.Set("new", "")
	form.Set("again", "")
	w.login(t, "joe", secretIn(t, w.post(t, "/account/recover", form).want(t, http.StatusOK)))
}

func TestAccountDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	page = w.act(t, page, "/account/delete", "password", shown["Account password"]).want(t, http.StatusUnprocessableEntity)
	page = w.act(t, page, "/account/delete", "password", shown["Device password"], "sure", "yes").want(t, http.StatusForbidden)
	gone := w.act(t, page, "/account/delete", "password", shown["Account password"], "sure", "yes").want(t, http.StatusOK)
	if !strings.Contains(gone.text(), "The account is deleted") {
		t.Errorf("the page says\n%s", gone.text())
	}
	w.loginFails(t, "joe", shown["Account password"])
	w.act(t, page, "/account/device").want(t, http.StatusForbidden)
	if got := w.server.TestOnlyVisits(); got != 0 {
		t.Errorf("%d visits are left", got)
	}
}

func TestAccountLogins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, shown := w.signUp(t, "joe")
	_, other := w.signUp(t, "off")
	x := w.login(t, "off", other["Account password"])
	if err := w.service.SetState(t.Context(), x.Account(), mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, user, secret string
		want               int
		says               string
	}{
		{"good", "joe@example.org", shown["Account password"], http.StatusOK, "Devices"},
		{"short name", "JOE", shown["Account password"], http.StatusOK, "Devices"},
		{"wrong", "joe", "wrong", http.StatusForbidden, "address or the password is wrong"},
		{"unknown", "nobody", "wrong", http.StatusForbidden, "address or the password is wrong"},
		{"device", "joe", shown["Device password"], http.StatusForbidden, "This is a device password"},
		{"recovery code", "joe", shown["Recovery code"], http.StatusForbidden, "address or the password is wrong"},
		{"disabled", "off", other["Account password"], http.StatusForbidden, "disabled"},
		{"empty", "", "", http.StatusForbidden, "address or the password is wrong"},
	}
	for _, tt := range tests {
		a := w.enter(t, tt.user, tt.secret)
		if a.code != tt.want || !strings.Contains(a.text(), tt.says) {
			t.Errorf("%s: status %d, want %d; the page says\n%s", tt.name, a.code, tt.want, a.text())
		}
	}
}

// TestAccountSteps: a form is done once, however often it is sent, and none of them
// is done without the token of the visit.
func TestAccountSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	next := w.act(t, page, "/account/device", "label", "once").want(t, http.StatusOK)
	again := w.act(t, page, "/account/device", "label", "once").want(t, http.StatusConflict)
	for _, a := range []answer{next, again} {
		if got := strings.Count(a.text(), "Revoke"); got != 2+1 { // one is in the explanation
			t.Errorf("the page lists %d devices, want 2", got-1)
		}
	}
	// The page that says so can be used.
	w.act(t, again, "/account/device", "label", "next").want(t, http.StatusOK)

	good := page.form(t, "/account/device").Get("visit")
	for _, pass := range []string{"", "x", strings.Replace(good, ".0", ".", 1), "A" + good[1:], good + "0"} {
		if pass == good {
			continue
		}
		a := w.post(t, "/account/device", url.Values{"visit": {pass}})
		if a.code != http.StatusForbidden && a.code != http.StatusConflict {
			t.Errorf("pass %q: status %d", pass, a.code)
		}
	}
	if list, err := w.login(t, "joe", shown["Account password"]).Devices(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%d devices, %v, want 3", len(list), err)
	}
}

// TestAccountAtOnce: of two forms of one step that are sent at the same moment, one
// is done.
func TestAccountAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	form := page.form(t, "/account/device")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { w.post(t, "/account/device", form) })
	}
	all.Wait()
	if list, err := w.login(t, "joe", shown["Account password"]).Devices(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("%d devices, %v, want 2", len(list), err)
	}
}

func TestAccountLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, _ := w.owner(t, "joe")
	w.act(t, page, "/account/logout").want(t, http.StatusOK)
	w.act(t, page, "/account/device").want(t, http.StatusForbidden)
}

func TestAccountQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, _ := w.owner(t, "joe")
	for range 6 {
		w.clock.advance(9*time.Minute + 59*time.Second)
		page = w.act(t, page, "/account/device").want(t, http.StatusOK)
	}
	w.clock.advance(time.Minute) // it is an hour
	w.act(t, page, "/account/device").want(t, http.StatusForbidden)

	w.owner(t, "jane")
	w.clock.advance(10 * time.Minute)
	w.server.TestOnlySweep()
	if got := w.server.TestOnlyVisits(); got != 0 {
		t.Errorf("%d visits after ten minutes of quiet", got)
	}
}

func TestAccountChangedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, shown := w.owner(t, "joe")
	x := w.login(t, "joe", shown["Account password"])
	if _, err := w.service.SetPassword(t.Context(), x.Account(), shown["Account password"], "a long password"); err != nil {
		t.Fatal(err)
	}
	a := w.act(t, page, "/account/device").want(t, http.StatusForbidden)
	if !strings.Contains(a.text(), "You were logged out") {
		t.Errorf("the page says\n%s", a.text())
	}
	if got := w.server.TestOnlyVisits(); got != 0 {
		t.Errorf("%d visits are left", got)
	}
}

func TestAccountTooManyVisits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.web.Limits.Visits = 1 })
	page, shown := w.owner(t, "joe")
	w.enter(t, "joe", shown["Account password"]).want(t, http.StatusServiceUnavailable)
	w.act(t, page, "/account/logout").want(t, http.StatusOK)
	w.enter(t, "joe", shown["Account password"]).want(t, http.StatusOK)
}

// TestAccountKeepsItsShare: whoever logs in again and again ends his own visits, and
// nobody else's.
func TestAccountKeepsItsShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, jane := w.signUp(t, "jane")
	_, joe := w.signUp(t, "joe")
	other := w.enter(t, "jane", jane["Account password"]).want(t, http.StatusOK)
	first := w.enter(t, "joe", joe["Account password"]).want(t, http.StatusOK)
	for range 4 {
		w.clock.advance(time.Second)
		w.enter(t, "joe", joe["Account password"]).want(t, http.StatusOK)
	}
	w.act(t, first, "/account/device").want(t, http.StatusForbidden)
	w.act(t, other, "/account/device").want(t, http.StatusOK)
	if got := w.server.TestOnlyVisits(); got != 5 {
		t.Errorf("%d visits, want 5", got)
	}
}

// TestAccountOfAFirstLogin: whoever began with a mail program can get a recovery
// code later.
func TestAccountOfAFirstLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(t, "k3xq7mzp2@example.org", "Gx7bQ2mN8vL4tR6wY1zK3p")
	page := w.enter(t, "k3xq7mzp2@example.org", "Gx7bQ2mN8vL4tR6wY1zK3p").want(t, http.StatusOK)
	page = w.act(t, page, "/account/code", "password", "Gx7bQ2mN8vL4tR6wY1zK3p").want(t, http.StatusOK)
	if code := secretIn(t, page); !regexp.MustCompile(`^r1(-[0-9a-z]{4})+$`).MatchString(code) {
		t.Errorf("recovery code %q", code)
	}
}

// TestLoginMakesNoAccount: a typing error on the account page must not make an
// account, as it may in a mail program.
func TestLoginMakesNoAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.signup.Policy = web.Open })
	w.enter(t, "k3xq7mzp2@example.org", "Gx7bQ2mN8vL4tR6wY1zK3p").want(t, http.StatusForbidden)
}

package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/web"
)

// signUp gets an address as somebody without JavaScript does: he asks for the form,
// waits, and sends it.
func (w *world) signUp(t *testing.T, name string) (answer, map[string]string) {
	t.Helper()
	form := w.get(t, "/join").want(t, http.StatusOK).form(t, "/join")
	form.Set("name", name)
	w.clock.advance(w.maxWait())
	a := w.post(t, "/join", form).want(t, http.StatusCreated)
	return a, a.secrets(t)
}

// maxWait is longer than any ticket has to wait, and shorter than its life.
func (w *world) maxWait() time.Duration { return 11 * time.Minute }

func TestJoinWithoutJavaScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.get(t, "/join").want(t, http.StatusOK)
	form := page.form(t, "/join")
	if !strings.Contains(page.text(), "the button works in 5 seconds") {
		t.Errorf("the page does not say how long to wait:\n%s", page.text())
	}

	early := w.post(t, "/join", form).want(t, http.StatusTooManyRequests)
	if got := early.header.Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After %q, want 5", got)
	}
	if got := early.form(t, "/join"); got.Get("ticket") != form.Get("ticket") {
		t.Error("who comes too early loses the place in the queue")
	}

	w.clock.advance(5 * time.Second)
	made := w.post(t, "/join", form).want(t, http.StatusCreated)
	shown := made.secrets(t)
	address := shown["Address"]
	if !strings.HasSuffix(address, "@example.org") || len(address) != 9+len("@example.org") {
		t.Fatalf("address %q", address)
	}
	if w.login(t, address, shown["Device password"]).Manages() {
		t.Error("the device password manages the account")
	}
	if !w.login(t, address, shown["Account password"]).Manages() {
		t.Error("the account password does not manage the account")
	}
	if len(shown["Recovery code"]) < 32 {
		t.Errorf("recovery code %q", shown["Recovery code"])
	}

	again := w.post(t, "/join", form).want(t, http.StatusForbidden)
	if again.form(t, "/join").Get("ticket") == form.Get("ticket") {
		t.Error("a ticket that is redeemed is offered again")
	}
}

func TestJoinLink(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*options)
		want   url.Values
	}{
		{"trusted certificate", func(*options) {}, url.Values{"ih": {"mail.example.org"}, "ip": {"993"}, "is": {"ssl"},
			"sh": {"mail.example.org"}, "sp": {"465"}, "ss": {"ssl"}, "v": {"1"}}},
		{"own certificate", func(o *options) { o.web.CA = []byte("a certificate") }, url.Values{"ih": {"mail.example.org"},
			"ip": {"993"}, "is": {"ssl"}, "sh": {"mail.example.org"}, "sp": {"465"}, "ss": {"ssl"}, "v": {"1"}, "ic": {"3"}}},
		{"STARTTLS only", func(o *options) { o.web.Ports = web.Ports{IMAP: 143, Submission: 2587} }, url.Values{
			"ih": {"mail.example.org"}, "ip": {"143"}, "is": {"starttls"}, "sh": {"mail.example.org"}, "sp": {"2587"},
			"ss": {"starttls"}, "v": {"1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.change)
			made, shown := w.signUp(t, "")
			// As Delta Chat reads it: the address stands as it is before the query.
			address, query, _ := strings.Cut(strings.TrimPrefix(made.link(t, "dclogin:"), "dclogin:"), "?")
			if address != shown["Address"] {
				t.Errorf("the link is for %q, want %q", address, shown["Address"])
			}
			got, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Set("p", shown["Device password"])
			if got.Encode() != tt.want.Encode() {
				t.Errorf("got  %s\nwant %s", got.Encode(), tt.want.Encode())
			}
			if !strings.Contains(made.body, `aria-label="QR code that takes`) {
				t.Error("there is no QR code")
			}
		})
	}
}

func TestJoinNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signUp(t, "taken")
	form := w.get(t, "/join").form(t, "/join")
	w.clock.advance(w.maxWait())
	tests := []struct {
		name string
		want int
	}{
		{"taken", http.StatusConflict},
		{"ab", http.StatusUnprocessableEntity},
		{strings.Repeat("x", 33), http.StatusUnprocessableEntity},
		{"Capital", http.StatusUnprocessableEntity},
		{"a@b", http.StatusUnprocessableEntity},
		{`"quoted"`, http.StatusUnprocessableEntity},
		{".dot", http.StatusUnprocessableEntity},
		{"postmaster", http.StatusUnprocessableEntity},
		{"admin", http.StatusUnprocessableEntity},
		{"<script>", http.StatusUnprocessableEntity},
		{"joe.b-c_1", http.StatusCreated},
	}
	for _, tt := range tests {
		form.Set("name", tt.name)
		a := w.post(t, "/join", form)
		if a.code != tt.want {
			t.Errorf("%s: got status %d, want %d", tt.name, a.code, tt.want)
		}
		if a.code == http.StatusCreated {
			continue
		}
		// The form comes back as it was, and its ticket is still good.
		if got := a.form(t, "/join"); got.Get("name") != tt.name || got.Get("ticket") != form.Get("ticket") {
			t.Errorf("%s: the form comes back as %v", tt.name, got)
		}
	}
}

func TestJoinWithWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.signup.Limits.Bits = 8 })
	form := w.get(t, "/join").form(t, "/join")
	form.Set("work", "0")
	for n := 0; web.TestOnlyZeroBits(form.Get("ticket"), form.Get("work")) >= 8; n++ {
		form.Set("work", strconv.Itoa(n)) // by chance 0 was good
	}
	w.post(t, "/join", form).want(t, http.StatusTooManyRequests)
	form.Set("work", web.TestOnlyWork(form.Get("ticket"), 8))
	w.post(t, "/join", form).want(t, http.StatusCreated)
	w.post(t, "/join", form).want(t, http.StatusForbidden)
}

// TestTicketOnTwoNodes: nodes of one relay know each other's tickets, and what was
// redeemed at one is worth nothing at the other, nor after a restart.
func TestTicketOnTwoNodes(t *testing.T) {
	t.Parallel()
	spent := &spentTokens{}
	node := func() *world {
		return newWorld(t, func(o *options) {
			o.signup.Limits.Bits, o.signup.Secret, o.signup.Spent = 8, []byte("the secret of all nodes"), spent
		})
	}
	one, two := node(), node()
	form := one.get(t, "/join").form(t, "/join")
	form.Set("work", web.TestOnlyWork(form.Get("ticket"), 8))
	two.post(t, "/join", form).want(t, http.StatusCreated)
	for name, w := range map[string]*world{"another node": one, "the same one": two, "started anew": node()} {
		if got := w.post(t, "/join", form); got.code != http.StatusForbidden {
			t.Errorf("%s: got %d, want %d", name, got.code, http.StatusForbidden)
		}
	}
}

func TestJoinDamagedForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.get(t, "/join").form(t, "/join")
	w.clock.advance(w.maxWait())
	tests := []struct {
		name   string
		change func(url.Values)
		want   int
	}{
		{"no ticket", func(f url.Values) { f.Del("ticket") }, http.StatusBadRequest},
		{"another ticket", func(f url.Values) { f.Set("ticket", f.Get("ticket")[:40]+"AAAAAAAA"+f.Get("ticket")[48:]) }, http.StatusBadRequest},
		{"work that is no number", func(f url.Values) { f.Set("work", "x") }, http.StatusBadRequest},
		{"a token where none is taken", func(f url.Values) { f.Set("token", "x"); f.Del("ticket") }, http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			damaged, _ := url.ParseQuery(form.Encode())
			tt.change(damaged)
			a := w.post(t, "/join", damaged).want(t, tt.want)
			if len(a.form(t, "/join").Get("ticket")) != 64 {
				t.Error("there is no new ticket")
			}
		})
	}
	w.clock.advance(time.Hour)
	w.post(t, "/join", form).want(t, http.StatusForbidden)
}

func TestJoinClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.signup.Policy = web.Closed })
	for _, a := range []answer{w.get(t, "/join"), w.post(t, "/join", nil), w.do(t, "POST", "/new", "")} {
		a.want(t, http.StatusForbidden)
	}
	if strings.Contains(w.get(t, "/").body, "/join") {
		t.Error("the first page invites to sign up")
	}
}

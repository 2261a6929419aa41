package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/web"
)

// newAnswer is what POST /new says.
type newAnswer struct {
	Email    string
	Password string
	LoginURL string `json:"dclogin_url"`
	Reason   string
	Ticket   string
	Wait     int
	Bits     int
}

func (w *world) newAccount(t *testing.T, want int, header ...string) newAnswer {
	t.Helper()
	a := w.do(t, "POST", "/new", "", header...).want(t, want)
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	var n newAnswer
	if err := json.Unmarshal([]byte(a.body), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do(t, "POST", "/new", "").want(t, http.StatusOK)
	var fields map[string]string
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil || len(fields) != 2 {
		t.Fatalf("chatmail relays answer with two fields, we with %d, %v", len(fields), err)
	}
	if !w.login(t, fields["email"], fields["password"]).Manages() {
		t.Error("the password is not the account's own")
	}
	if n := w.newAccount(t, http.StatusOK); n.Email == fields["email"] {
		t.Error("two accounts have one address")
	}
}

func TestNewWithOwnCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.web.CA = []byte("a certificate") })
	n := w.newAccount(t, http.StatusOK)
	for _, want := range []string{"dclogin:" + n.Email + "?", "p=" + n.Password, "ic=3", "v=1"} {
		if !strings.Contains(n.LoginURL, want) {
			t.Errorf("dclogin_url %s lacks %s", n.LoginURL, want)
		}
	}
	if got := w.get(t, "/ca.pem").want(t, http.StatusOK).body; got != "a certificate" {
		t.Errorf("/ca.pem is %q", got)
	}
}

func TestNewLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.get(t, "/new").want(t, http.StatusFound)
	if got := a.header.Get("Location"); got != "dcaccount:https://mail.example.org/new" {
		t.Errorf("Location %q", got)
	}
}

func TestNewOverBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) {
		o.signup.Limits = web.SignupLimits{NetworkFree: web.Rate{Every: time.Hour, Burst: 1}, Bits: 6}
	})
	w.newAccount(t, http.StatusOK)
	a := w.do(t, "POST", "/new", "").want(t, http.StatusTooManyRequests)
	if got := a.header.Get("Retry-After"); got != "300" {
		t.Errorf("Retry-After %q, want 300", got)
	}

	refused := w.newAccount(t, http.StatusTooManyRequests)
	if diff := cmp.Diff(newAnswer{Reason: refused.Reason, Ticket: refused.Ticket, Wait: 5, Bits: 6}, refused); diff != "" || refused.Reason == "" {
		t.Fatal(diff)
	}
	proof := "X-Restante-PoW: " + refused.Ticket
	if early := w.newAccount(t, http.StatusTooManyRequests, proof); early.Ticket != refused.Ticket || early.Wait != 5 {
		t.Errorf("too early: %+v", early)
	}
	proof += ":" + web.TestOnlyWork(refused.Ticket, 6)
	w.newAccount(t, http.StatusOK, proof)
	used := w.newAccount(t, http.StatusForbidden, proof)
	if used.Ticket == refused.Ticket || used.Ticket == "" {
		t.Errorf("a ticket that is redeemed: %+v", used)
	}
	w.clock.advance(w.maxWait())
	w.newAccount(t, http.StatusOK, "X-Restante-PoW: "+used.Ticket)
	w.newAccount(t, http.StatusBadRequest, "X-Restante-PoW: nonsense")
}

// TestNewSharesBudgets: first logins and /new count together, by network.
func TestNewSharesBudgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) {
		o.signup.Limits.Free = web.Rate{Every: time.Hour, Burst: 2}
	})
	w.newAccount(t, http.StatusOK)
	w.login(t, "k3xq7mzp2@example.org", "Gx7bQ2mN8vL4tR6wY1zK3p")
	w.newAccount(t, http.StatusTooManyRequests)
}

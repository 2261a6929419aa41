package web_test

import (
	"context"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web"
	"github.com/restante/restante/web/token"
)

// tokenKey is made once: RSA keys take their time.
var tokenKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := token.GenerateKey()
	if err != nil {
		panic(err)
	}
	return key
})

// spentTokens remembers in memory what a store remembers on disk.
type spentTokens struct{ set sync.Map }

func (s *spentTokens) Spend(_ context.Context, token mailbox.SpentToken, _ mailbox.Day) error {
	if _, spent := s.set.LoadOrStore(token, true); spent {
		return mailbox.ErrExists
	}
	return nil
}

func (s *spentTokens) GiveBack(_ context.Context, token mailbox.SpentToken) error {
	s.set.Delete(token)
	return nil
}

// withTokens makes a relay where tokens are taken.
func withTokens(t *testing.T, policy web.Policy) func(*options) {
	return func(o *options) {
		o.signup.Policy, o.signup.Spent = policy, &spentTokens{}
		o.signup.TokenKeys = []*rsa.PublicKey{&tokenKey().PublicKey}
	}
}

// issueToken takes a token from request to text.
func issueToken(t *testing.T) string {
	t.Helper()
	p := token.New()
	request, err := p.Request(&tokenKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := token.Sign(tokenKey(), request)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := p.Finish(&tokenKey().PublicKey, answer)
	if err != nil {
		t.Fatal(err)
	}
	return issued.Reveal()
}

func TestJoinByToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTokens(t, web.Token))
	page := w.get(t, "/join").want(t, http.StatusOK)
	form := page.form(t, "/join")
	if _, waits := form["ticket"]; waits {
		t.Error("there is a ticket where only tokens are taken")
	}
	w.post(t, "/join", form).want(t, http.StatusForbidden)

	good := issueToken(t)
	form.Set("token", good[:100]+"\r\n"+good[100:])
	form.Set("name", "Bad Name")
	w.post(t, "/join", form).want(t, http.StatusUnprocessableEntity)
	form.Set("name", "joe")
	shown := w.post(t, "/join", form).want(t, http.StatusCreated).secrets(t)
	w.login(t, shown["Address"], shown["Device password"])
	form.Set("name", "jane")
	w.post(t, "/join", form).want(t, http.StatusForbidden)
	form.Set("token", good[:100])
	w.post(t, "/join", form).want(t, http.StatusUnprocessableEntity)
}

func TestNewByToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTokens(t, web.Token))
	if n := w.newAccount(t, http.StatusForbidden); n.Ticket != "" {
		t.Error("there is a ticket where only tokens are taken")
	}
	bearer := "Authorization: Bearer " + issueToken(t)
	w.newAccount(t, http.StatusOK, bearer)
	w.newAccount(t, http.StatusForbidden, bearer)
	w.loginFails(t, "k3xq7mzp2@example.org", "Gx7bQ2mN8vL4tR6wY1zK3p")
}

// TestTokenWhereAllMaySignUp: a token waits for nothing there.
func TestTokenWhereAllMaySignUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTokens(t, web.Open))
	page := w.get(t, "/join")
	if !strings.Contains(page.text(), "I have a token") {
		t.Error("the page does not ask for a token")
	}
	w.post(t, "/join", url.Values{"token": {issueToken(t)}}).want(t, http.StatusCreated)
}

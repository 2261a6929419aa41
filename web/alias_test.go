package web_test

import (
	"errors"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web"
)

// TestNewAlias: whoever asks elsewhere than on the page is held to the page's rules.
func TestNewAlias(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.service.CreateAccount(t.Context(), addr.MustParse("joe@example.org"), mailbox.NewAccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.service.Login(t.Context(), mailbox.Login{User: c.Address.String(), Secret: c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	g, err := web.NewSignup(web.SignupOptions{Domain: "example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"shop.one": nil, "": nil, "joe": mailbox.ErrExists, "postmaster": mailbox.ErrName,
		"ab": mailbox.ErrName, "a b": mailbox.ErrName, "shop@example.net": mailbox.ErrName,
	} {
		if _, err := g.NewAlias(t.Context(), x, name); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
	list, err := x.Addresses(t.Context())
	if err != nil || len(list) != 3 {
		t.Errorf("the account has %d addresses, want 3 (%v)", len(list), err)
	}
}

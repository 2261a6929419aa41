package mta

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/test/scramclient"
)

// TestSCRAM: whoever knows a generated secret submits mail without sending it; a
// chosen password, a wrong secret and another connection are all refused.
func TestSCRAM(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	zoe, err := r.service.CreateAccount(t.Context(), addr.MustParse("zoe@here.example"), mailbox.NewAccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *tls.Conn {
		t.Helper()
		conn, err := r.dial(t.Context(), "smtps")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn.(*tls.Conn)
	}
	for _, c := range []struct {
		name, user, secret string
		bound, other       bool
		want               int
	}{
		{name: "bound", user: "zoe", secret: zoe.Secret, bound: true},
		{name: "not bound", user: "zoe@HERE.example", secret: zoe.Secret},
		{name: "chosen password", user: "anna", secret: "secret of anna", want: 535},
		{name: "recovery code", user: "zoe", secret: zoe.Recovery, bound: true, want: 535},
		{name: "bound to another connection", user: "zoe", secret: zoe.Secret, bound: true, other: true, want: 535},
	} {
		conn := dial()
		to := conn
		if c.other {
			to = dial()
		}
		if !c.bound {
			to = nil
		}
		client, sasl := smtp.NewClient(conn), scramclient.New(t, c.user, c.secret, to)
		err := client.Auth(sasl)
		var refused *smtp.SMTPError
		if c.want != 0 {
			if !errors.As(err, &refused) || refused.Code != c.want {
				t.Errorf("%s: got %v, want %d", c.name, err, c.want)
			}
			continue
		}
		if err != nil || !sasl.Valid() {
			t.Errorf("%s: %v, the server proved itself: %v", c.name, err, sasl.Valid())
			continue
		}
		if err := send(client, "zoe", "bert", numbered("zoe", len(c.name), 100)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

package imapd_test

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/test/scramclient"
)

// TestSCRAM: a client that knows SCRAM logs in without sending its secret, tied to
// its connection or not, and reads its mail; one that knows the secret of nobody,
// or speaks over another connection, does not.
func TestSCRAM(t *testing.T) {
	t.Parallel()
	server, config := testTLS()
	w := newWorld(t, func(o *imapd.Options) { o.InsecureAuth, o.OfferBinding = false, true })
	anna := w.account(t, "anna@example.org")
	dial := func() *tls.Conn {
		t.Helper()
		ours, theirs := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			secure := tls.Server(theirs, server)
			if err := secure.Handshake(); err != nil { // as internal/listen does
				t.Error(err)
				return
			}
			w.server.ServeConn(t.Context(), secure)
		}()
		t.Cleanup(func() { ours.Close(); <-ended })
		conn := tls.Client(ours, config)
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for _, c := range []struct {
		name, secret string
		bound, other bool
		want         imap.ResponseCode
	}{
		{name: "bound", secret: anna.Secret, bound: true},
		{name: "not bound", secret: anna.Secret},
		{name: "wrong secret", secret: anna.Recovery, bound: true, want: imap.ResponseCodeAuthenticationFailed},
		{name: "bound to another connection", secret: anna.Secret, bound: true, other: true, want: imap.ResponseCodeAuthenticationFailed},
	} {
		conn := dial()
		to := conn
		if c.other {
			to = dial()
		}
		if !c.bound {
			to = nil
		}
		client := imapclient.New(conn, nil)
		t.Cleanup(func() { client.Close() })
		if !client.Caps().Has("AUTH=SCRAM-SHA-256-PLUS") {
			t.Errorf("%s: -PLUS is not offered: %v", c.name, client.Caps())
		}
		sasl := scramclient.New(t, "anna@example.org", c.secret, to)
		err := client.Authenticate(sasl)
		var refused *imap.Error
		if c.want != "" {
			if !errors.As(err, &refused) || refused.Code != c.want {
				t.Errorf("%s: got %v, want %s", c.name, err, c.want)
			}
			continue
		}
		if err != nil || !sasl.Valid() {
			t.Errorf("%s: %v, the server proved itself: %v", c.name, err, sasl.Valid())
			continue
		}
		if _, err := client.Select("INBOX", nil).Wait(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
)

func TestMailOrWeb(t *testing.T) {
	t.Parallel()
	tests := []struct{ alpn, sni, want string }{
		{"imap", "mail.test", SplitIMAP}, {"smtp", "imap.mail.test", SplitSMTP}, {"http/1.1", "imap.mail.test", SplitWeb},
		{"", "imap.mail.test", SplitIMAP}, {"", "smtp.mail.test", SplitSMTP}, {"", "mail.test", SplitWeb}, {"", "", SplitWeb},
		{"acme-tls/1", "mail.test", SplitWeb},
	}
	for _, test := range tests {
		if got := MailOrWeb(tls.ConnectionState{NegotiatedProtocol: test.alpn, ServerName: test.sni}); got != test.want {
			t.Errorf("ALPN %q, SNI %q: got %q, want %q", test.alpn, test.sni, got, test.want)
		}
	}
}

// TestSplitEnds: a part that is closed takes no connection from the others, and all of
// them end with Run.
func TestSplitEnds(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	ln := open(t, Options{Name: "https", TLS: certs.Config("imap", "http/1.1")})
	split := NewSplit(ln, MailOrWeb)
	imap, web := split.Listener(SplitIMAP), split.Listener(SplitWeb)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- split.Run(ctx) }()
	imap.Close()
	for _, alpn := range []string{"imap", "http/1.1"} {
		c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "mail.test", NextProtos: []string{alpn}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if alpn == "imap" {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("a connection to a server that is closed was served")
			}
		}
	}
	c, err := web.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	stop()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := web.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after the end: %v", err)
	}
}

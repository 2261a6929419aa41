package imapd

import (
	"crypto/tls"
	"errors"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/scram"
	"github.com/restante/restante/mailbox"
)

var (
	errSCRAM   = bad("That is no message of SCRAM, or it asks for what is not offered")
	errBinding = no(imap.ResponseCodeAuthenticationFailed, "Authentication failed: the client sees another TLS connection than the server")
)

// binding returns what ties a login to this TLS connection (RFC 9266), or nil
// where there is none: without TLS, or with an old one.
func (c *conn) binding() []byte {
	t, ok := c.net.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	exported, err := state.ExportKeyingMaterial(scram.ExporterLabel, nil, scram.ExporterSize)
	if err != nil {
		return nil
	}
	return exported
}

// offersBinding reports whether the client is told of SCRAM-SHA-256-PLUS.
func (c *conn) offersBinding() bool { return c.srv.o.OfferBinding && c.binding() != nil }

// saslSCRAM is RFC 5802: the client's two messages, each answered, and its consent
// to what the second answer proves.
func (c *conn) saslSCRAM(initial []byte, plus bool) (*mailbox.Session, error) {
	x := c.srv.o.Service.SCRAM(mailbox.SCRAMOptions{
		Exchange: scram.Options{Plus: plus, Offered: c.offersBinding(), Binding: c.binding()}, Peer: c.srv.o.Peer(c.net),
	})
	first, err := c.initial(initial, "")
	if err != nil {
		return nil, err
	}
	answer, err := x.First(c.ctx, first)
	if err != nil {
		return nil, scramError(err)
	}
	final, err := c.challenge(string(answer))
	if err != nil {
		return nil, err
	}
	if answer, err = x.Final(c.ctx, final); err != nil {
		return nil, scramError(err)
	}
	consent, err := c.challenge(string(answer))
	if err != nil {
		return nil, err
	}
	if len(consent) > 0 {
		return nil, errSCRAM
	}
	return x.Open(c.ctx)
}

func scramError(err error) error {
	switch {
	case errors.Is(err, scram.ErrSyntax):
		return errSCRAM
	case errors.Is(err, scram.ErrBinding):
		return errBinding
	}
	return err
}

package imapd

import (
	"context"
	"crypto/tls"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// startTLS is STARTTLS (RFC 9051, 6.2.1).
func (c *conn) startTLS(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	switch {
	case c.protected():
		return bad("TLS is active already")
	case c.srv.o.TLS == nil:
		return bad("TLS is not offered here")
	case c.r.Buffered() > 0:
		// Somebody may have put a command there to be run after the handshake
		// as if the client had sent it.
		return bad("Nothing may follow STARTTLS before its answer")
	}
	c.done = completion{text: "Begin TLS now", then: c.handshake}
	return nil
}

// handshake makes the connection a TLS one. It runs on a goroutine of its own,
// because it needs much stack and the connection's goroutine would keep it.
func (c *conn) handshake() error {
	ctx, cancel := context.WithDeadline(c.ctx, c.connected.Add(c.srv.o.Limits.Greeting))
	defer cancel()
	t := tls.Server(c.net, c.srv.o.TLS)
	done := make(chan error)
	go func() { done <- t.HandshakeContext(ctx) }()
	if err := <-done; err != nil {
		return err
	}
	c.net = t
	c.r.Reset(t)
	c.w.Reset(t)
	return nil
}

package gateway

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
)

// ClientPeer gives the token of a connection's network, for the throttle of wrong
// passwords. It may be nil.
type ClientPeer func(net.Conn) mailbox.Peer

// ServeSubmissionTLS is ServeSubmission for other devices of the user. ln hands over
// *tls.Conn whose handshake is done; anything else it hands over is closed.
func (g *Gateway) ServeSubmissionTLS(ctx context.Context, ln net.Listener, peer ClientPeer) error {
	s := &submission{local: g.local, mayWrite: g.mayWrite, accept: g.Send, log: g.o.Log, peer: peer}
	return s.serve(ctx, tlsOnly{ln})
}

// ServeIMAPTLS is ServeIMAP for other devices of the user. ln hands over *tls.Conn whose
// handshake is done; anything else it hands over is closed.
func (g *Gateway) ServeIMAPTLS(ctx context.Context, ln net.Listener, peer ClientPeer) error {
	return imapd.New(imapd.Options{
		Service: g.local.Service, Index: g.searcher.index, Peer: peer, Log: g.o.Log,
	}).Serve(ctx, tlsOnly{ln})
}

// tlsOnly lets nothing through that is not encrypted.
type tlsOnly struct{ net.Listener }

func (l tlsOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, ok := c.(*tls.Conn); ok {
			return c, nil
		}
		_ = c.Close() // a peer that is not wanted needs no answer
	}
}

package listen

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
)

// Split shares the connections of a TLS listener among several servers, by what each
// client asks for in its handshake: so that networks which let only port 443 through
// let mail through as well.
//
//	split := listen.NewSplit(ln, func(s tls.ConnectionState) string { … })
//	group.Go(func() error { return imap.Serve(ctx, split.Listener("imap")) })
//	group.Go(func() error { return web.Serve(ctx, split.Listener("http")) })
//	group.Go(func() error { return split.Run(ctx) })
type Split struct {
	ln     net.Listener
	choose func(tls.ConnectionState) string
	parts  map[string]*part
	done   chan struct{} // closed when Run has ended
	once   sync.Once
}

// NewSplit returns a Split of ln, whose connections are *tls.Conn with their handshake
// done. choose names the server of a connection; one that has none is closed.
func NewSplit(ln net.Listener, choose func(tls.ConnectionState) string) *Split {
	return &Split{ln: ln, choose: choose, parts: map[string]*part{}, done: make(chan struct{})}
}

// Listener returns the listener of one server. It is called before Run. Closing it takes
// that server's connections from the Split, and leaves the others theirs.
func (s *Split) Listener(name string) net.Listener {
	p := &part{split: s, conns: make(chan net.Conn), closed: make(chan struct{})}
	s.parts[name] = p
	return p
}

// Run accepts and hands over until ctx ends, and then closes the listener and returns
// nil. A server that is slow to accept holds up none but its own clients.
func (s *Split) Run(ctx context.Context) error {
	defer s.once.Do(func() { close(s.done) })
	defer context.AfterFunc(ctx, func() { s.ln.Close() })()
	var handing sync.WaitGroup
	defer handing.Wait()
	for {
		c, err := s.ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		handing.Go(func() { s.hand(ctx, c) })
	}
}

// hand gives a connection to its server, or closes it.
func (s *Split) hand(ctx context.Context, c net.Conn) {
	var p *part
	if t, ok := c.(*tls.Conn); ok {
		p = s.parts[s.choose(t.ConnectionState())]
	}
	if p == nil {
		_ = c.Close()
		return
	}
	select {
	case p.conns <- c:
	case <-p.closed:
		_ = c.Close()
	case <-ctx.Done():
		_ = c.Close()
	}
}

// part is what one server accepts from.
type part struct {
	split  *Split
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var _ net.Listener = (*part)(nil)

func (p *part) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
	case <-p.split.done:
	}
	return nil, net.ErrClosed
}

func (p *part) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *part) Addr() net.Addr { return p.split.ln.Addr() }

// The servers that share a port, by what MailOrWeb returns.
const (
	SplitIMAP = "imap"
	SplitSMTP = "smtp"
	SplitWeb  = "http"
)

// MailOrWeb chooses the server of a connection: by ALPN (RFC 7301) if the client asked
// for a protocol that it agreed on, else by the name that it asked for (SNI), of which
// the first label is imap or smtp; else the pages.
func MailOrWeb(s tls.ConnectionState) string {
	switch s.NegotiatedProtocol {
	case SplitIMAP, SplitSMTP:
		return s.NegotiatedProtocol
	case "":
	default:
		return SplitWeb
	}
	switch label, _, _ := strings.Cut(s.ServerName, "."); label {
	case SplitIMAP, SplitSMTP:
		return label
	}
	return SplitWeb
}

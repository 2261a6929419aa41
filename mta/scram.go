package mta

import (
	"crypto/tls"

	"github.com/restante/restante/internal/scram"
	"github.com/restante/restante/mailbox"
)

// binding returns what ties a login to this TLS connection (RFC 9266), or nil
// where there is none: without TLS, or with an old one.
func (w *wire) binding() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.conn.(*tls.Conn)
	if !ok || !w.secure {
		return nil
	}
	state := c.ConnectionState()
	exported, err := state.ExportKeyingMaterial(scram.ExporterLabel, nil, scram.ExporterSize)
	if err != nil {
		return nil
	}
	return exported
}

// offersBinding reports whether the client is told of SCRAM-SHA-256-PLUS.
func (w *wire) offersBinding() bool { return w.server.offer && w.binding() != nil }

// scramServer is the server side of SCRAM: the client's two messages, each answered,
// and its consent to what the second answer proves.
type scramServer struct {
	s        *session
	exchange *mailbox.SCRAM
	asked    bool
	step     int
}

func (s *session) scram(plus bool) *scramServer {
	return &scramServer{s: s, exchange: s.server.service.SCRAM(mailbox.SCRAMOptions{
		Exchange: scram.Options{Plus: plus, Offered: s.wire.offersBinding(), Binding: s.wire.binding()}, Peer: s.wire.peer,
	})}
}

// Next implements sasl.Server.
func (x *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil && !x.asked {
		x.asked = true
		return []byte{}, false, nil
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.step++
	switch x.step {
	case 1:
		challenge, err = x.exchange.First(x.s.ctx, response)
	case 2:
		challenge, err = x.exchange.Final(x.s.ctx, response)
	default:
		done, err = true, x.open(response)
	}
	return challenge, done, x.s.failedLogin(err)
}

// open ends the login, when the client has nothing more to say.
func (x *scramServer) open(response []byte) error {
	if len(response) > 0 {
		return errAuthSyntax
	}
	login, err := x.exchange.Open(x.s.ctx)
	if err != nil {
		return err
	}
	return x.s.loggedIn(login)
}

package web

import (
	"context"
	"net"
	"net/http"
)

// connKey is under what a request's connection stands in its context.
type connKey struct{}

// deliver gives mail that another relay brings over HTTPS to whoever takes it. Its
// size and time are bounded there, and not by those of forms.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	if s.o.Deliver == nil || conn == nil {
		s.notFound(w, r)
		return
	}
	s.o.Deliver(w, r, conn)
}

// isDelivery reports whether a request brings mail.
func isDelivery(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == deliverPath
}

const deliverPath = "/mxdeliv"

func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = context.WithValue(ctx, connKey{}, c)
	if s.o.Peer == nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, s.o.Peer(c))
}

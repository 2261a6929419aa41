package web

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// sweepEvery is how often Serve logs people out whose time is over.
const sweepEvery = 15 * time.Second

// Serve answers requests on the connections of ln until ctx ends. Then it closes ln,
// gives the requests under way Limits.Stop to end, closes the connections that are
// left, and returns nil. Any other end of ln is an error. It may be called for
// several listeners at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	engine := s.engine()
	var sweeper sync.WaitGroup
	defer sweeper.Wait()
	sweeping, stopSweeping := context.WithCancel(ctx)
	defer stopSweeping()
	sweeper.Go(func() { s.visits.sweepUntil(sweeping) })
	served := make(chan error, 1)
	go func() { served <- engine.Serve(ln) }()
	select {
	case err := <-served:
		_ = engine.Close() // the error of ln is what matters
		return fmt.Errorf("accept: %w", err)
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Limits.Stop)
	defer cancel()
	if err := engine.Shutdown(late); errors.Is(err, context.DeadlineExceeded) {
		_ = engine.Close() // what is left to close is of no use any more
	}
	<-served
	return nil
}

// peerKey is under what the token of a connection's network stands in its context.
type peerKey struct{}

// engine returns the HTTP server for one listener.
func (s *Server) engine() *http.Server {
	l := s.o.Limits
	return &http.Server{
		Handler: s.handler, MaxHeaderBytes: l.Header,
		ReadHeaderTimeout: l.Read, ReadTimeout: l.Read, WriteTimeout: l.Write, IdleTimeout: l.Idle,
		ConnContext: s.connContext,
		// The engine's own lines name clients and what they asked for.
		ErrorLog: log.New(engineLog{s}, "", 0),
	}
}

// engineLog says that the engine had something to say, and not what.
type engineLog struct{ s *Server }

func (e engineLog) Write(p []byte) (int, error) {
	e.s.o.Log.Debug("HTTP connection failed")
	return len(p), nil
}

// peer returns the token of the network that a request comes from.
func peer(r *http.Request) mailbox.Peer {
	p, _ := r.Context().Value(peerKey{}).(mailbox.Peer)
	return p
}

// guard is around all requests: it sets the headers that every answer has, refuses
// forms that other sites send, bounds what is read, and survives panics.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recoverPanic(w)
		s.setHeaders(w.Header(), r)
		if r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			// Another site's page could use up the budget of its visitor's network.
			s.fail(w, errCrossSite)
			return
		}
		if !isDelivery(r) {
			r.Body = http.MaxBytesReader(w, r.Body, s.o.Limits.Form)
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanic answers a request that ran into a fault of ours.
func (s *Server) recoverPanic(w http.ResponseWriter) {
	fault := recover()
	if fault == nil {
		return
	}
	st := s.statusOf(fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
	http.Error(w, st.text, st.code)
}

// contentPolicy lets pages have our own style, script and icon, and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *Server) setHeaders(h http.Header, r *http.Request) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil && s.o.CA == nil {
		// With a certificate of our own, this would keep browsers away for good.
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

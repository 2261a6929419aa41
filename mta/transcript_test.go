package mta

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/transcript"
	"github.com/restante/restante/mailbox"
)

// TestTranscripts plays the dialogues in testdata. A connection goes to the
// listener that its name begins with, or else to that of the setting "listener".
// Settings change options: "gate", "remote", the account
// of the "operator" and whether it takes "clear" mail, the "network" of all clients,
// and limits by name.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	transcript.Run(t, "testdata/*.txtar", func(t *testing.T, s *transcript.Script) transcript.Server {
		r := newRelay(t, func(o *Options) { settings(t, s, o) })
		return transcript.Server{
			Dial: func(ctx context.Context, name string) (net.Conn, error) { return r.dial(ctx, listener(s, name)) },
			TLS:  r.tls,
			Do: func(ctx context.Context, verb string, args []string) error {
				return r.do(ctx, verb, args, s.File)
			},
		}
	})
}

// listener returns the kind of listener for a connection.
func listener(s *transcript.Script, name string) string {
	for _, kind := range kinds {
		if len(name) >= len(kind) && name[:len(kind)] == kind {
			return kind
		}
	}
	return s.Setting("listener")
}

func settings(t *testing.T, s *transcript.Script, o *Options) {
	t.Helper()
	if s.Has("gate") {
		o.Gate = gate
	}
	o.Remote = s.Has("remote")
	if s.Has("no-tls") {
		o.TLS = nil
	}
	if s.Has("operator") {
		o.Operator = addr.MustParse(s.Setting("operator") + "@here.example")
	}
	o.OperatorClear = s.Has("clear")
	o.OfferBinding = s.Has("offer")
	o.Peer = func(net.Conn) mailbox.Peer { return mailbox.Peer(s.Setting("network")) }
	numbers := map[string]func(int){
		"per-network": func(n int) { o.Limits.PerNetwork = n },
		"message":     func(n int) { o.Limits.MaxMessage = int64(n) },
		"recipients":  func(n int) { o.Limits.MaxRecipients = n },
		"errors":      func(n int) { o.Limits.MaxErrors = n },
		"commands":    func(n int) { o.Limits.MaxCommands = n },
		"login":       func(n int) { o.Limits.LoginTimeout = time.Duration(n) * time.Millisecond },
		"progress":    func(n int) { o.Limits.ProgressTimeout = time.Duration(n) * time.Millisecond },
		"stop":        func(n int) { o.Limits.StopTimeout = time.Duration(n) * time.Millisecond },
		"handshake":   func(n int) { o.Limits.HandshakeTimeout = time.Duration(n) * time.Millisecond },
	}
	for name, set := range numbers {
		if !s.Has(name) {
			continue
		}
		n, err := strconv.Atoi(s.Setting(name))
		if err != nil {
			t.Fatalf("setting %s: %v", name, err)
		}
		set(n)
	}
}

package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"github.com/restante/restante/internal/listen"
)

// newForeign is a provider that is not ours, with these capabilities, and an account
// on it.
func newForeign(t *testing.T, caps ...imap.Cap) (Account, *imapmemserver.User) {
	t.Helper()
	user := imapmemserver.NewUser("alice@foreign.test", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	memory := imapmemserver.New()
	memory.AddUser(user)
	set := imap.CapSet{imap.CapIMAP4rev1: {}}
	for _, c := range caps {
		set[c] = struct{}{}
	}
	server := imapserver.New(&imapserver.Options{
		Caps: set,
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return wholeSession{memory.NewSession()}, nil, nil
		},
		Logger: log.New(io.Discard, "", 0),
	})
	certs, err := listen.OpenTLS(listen.TLSOptions{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	ln := listenLoopback(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(tls.NewListener(ln, certs.Config("imap"))) // it ends with an error by the Close below
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return Account{Address: "alice@foreign.test", Password: "secret", SMTPS: "127.0.0.1:1", IMAPS: ln.Addr().String(), CA: certs.CA()}, user
}

// wholeSession refuses an APPEND whose literal ends early: the library (v2.0.0-beta.8)
// would store what came before the connection broke.
type wholeSession struct{ imapserver.Session }

var _ imapserver.SessionMove = wholeSession{}

func (s wholeSession) Append(mailbox string, r imap.LiteralReader, o *imap.AppendOptions) (*imap.AppendData, error) {
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != r.Size() {
		return nil, io.ErrUnexpectedEOF
	}
	return s.Session.Append(mailbox, literal{bytes.NewReader(b)}, o)
}

func (s wholeSession) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	return s.Session.(imapserver.SessionMove).Move(w, set, dest)
}

// literal is a literal in memory.
type literal struct{ *bytes.Reader }

// cutter stands between a gateway and its provider, and cuts every connection after
// so many octets.
type cutter struct {
	ln    net.Listener
	to    string
	after atomic.Int64 // 0: never
	conns sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	c := &cutter{ln: listenLoopback(t), to: to}
	serve(t, c.serve)
	return c
}

func (c *cutter) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.ln.Close() })
	defer stop()
	for {
		near, err := c.ln.Accept()
		if err != nil {
			c.conns.Wait()
			return nil
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		left := new(atomic.Int64)
		left.Store(c.after.Load())
		limited := left.Load() > 0
		end := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			c.conns.Go(func() {
				defer end()
				defer near.Close()
				defer far.Close()
				carry(way[1], way[0], left, limited)
			})
		}
	}
}

// carry copies until the end, or until left is used up: then the last octets are lost.
func carry(dst io.Writer, src io.Reader, left *atomic.Int64, limited bool) {
	buf := make([]byte, 512)
	for {
		n, err := src.Read(buf)
		if limited && left.Add(-int64(n)) <= 0 {
			return
		}
		if _, werr := dst.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// front is one address for several nodes, as a balancer is: it hands each connection
// to the next node that answers.
type front struct {
	ln    net.Listener
	nodes []string
	next  atomic.Int64
	given [2]atomic.Int64 // connections, by node
}

func newFront(t *testing.T, nodes ...string) *front {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{ln: ln, nodes: nodes}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			ended.Go(func() { f.carry(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		ended.Wait()
	})
	return f
}

func (f *front) address() string { return f.ln.Addr().String() }

// carry passes bytes both ways until one end closes.
func (f *front) carry(c net.Conn) {
	defer c.Close()
	first := int(f.next.Add(1))
	for i := range f.nodes {
		n := (first + i) % len(f.nodes)
		far, err := net.DialTimeout("tcp", f.nodes[n], patience)
		if err != nil {
			continue
		}
		defer far.Close()
		f.given[n].Add(1)
		back := make(chan struct{})
		go func() {
			defer close(back)
			io.Copy(c, far)
			c.Close()
		}()
		io.Copy(far, c)
		far.Close()
		<-back
		return
	}
}

// startNodes starts two relays on one database and returns them, and what clients see.
func startNodes(t *testing.T) (nodes [2]*relay, seen *relay, fronts [2]*front) {
	t.Helper()
	store := startPostgres(t).url
	dirs := [2]string{filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")}
	nodes[0] = startIn(t, dirs[0], "--store", store)
	// The relay key and the certificate authority are the same on every node.
	run(t, "", nil, "cp", "-a", dirs[0], dirs[1])
	nodes[1] = startIn(t, dirs[1], "--store", store)
	fronts = [2]*front{newFront(t, nodes[0].SMTPS, nodes[1].SMTPS), newFront(t, nodes[0].IMAPS, nodes[1].IMAPS)}
	both := *nodes[0]
	both.SMTPS, both.IMAPS = fronts[0].address(), fronts[1].address()
	return nodes, &both, fronts
}

// TestTwoNodes kills one of two relays behind one address while mail comes in: nothing
// that was acknowledged is lost or there twice, and clients in IDLE reconnect and miss
// nothing.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	need(t, "mbsync", "isync")
	need(t, "swaks", "swaks libnet-ssleay-perl")
	const senders, each = 6, 40
	nodes, both, fronts := startNodes(t)
	alice, bob := both.Accounts[0], both.Accounts[1]
	body := newGnuPG(t, both.Accounts).mail(t, alice, bob, "through a node that dies")

	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var watching sync.WaitGroup
	watchers := make([]*watcher, 4) // the front gives each node two of them
	for i := range watchers {
		watchers[i] = newWatcher(both, bob, both.tls(t))
		watching.Go(func() { watchers[i].run(ctx) })
		watchers[i].await(t, ctx, func(w *watcher) bool { return w.sessions == 1 })
	}

	var acked ledger
	var sending sync.WaitGroup
	for i := range senders {
		s := stubborn{both, alice, bob, both.tls(t)}
		sending.Go(func() { s.send(t, ctx, &acked, body, fmt.Sprintf("n%d", i), each) })
	}
	acked.wait(senders * each / 3)
	nodes[0].kill(t)
	sending.Wait()

	file := write(t, t.TempDir(), "mail.eml", messageID.ReplaceAllString(body, "Message-ID: <swaks@nodes.invalid>"))
	run(t, "", nil, "swaks", "--server", both.SMTPS, "--tls-on-connect", "--auth", "PLAIN", "--auth-user", alice.Address,
		"--auth-password", alice.Password, "--hide-all", "--from", alice.Address, "--to", bob.Address, "--data", "@"+file)
	acked.add("swaks@nodes.invalid")

	got := messageIDs(t, both, bob)
	for id := range acked.all() {
		if got[id] != 1 {
			t.Errorf("acknowledged message %s is there %d times", id, got[id])
		}
	}
	for _, w := range watchers {
		w.await(t, ctx, func(w *watcher) bool { return len(w.seen) >= len(acked.all()) })
	}
	m := newMbsync(t, both, bob)
	m.sync(t)
	if n := len(m.list(t, "INBOX")); n != len(got) {
		t.Errorf("mbsync has %d messages, the mailbox has %d", n, len(got))
	}
	cancel()
	watching.Wait()
	again := 0
	for _, w := range watchers {
		again += w.sessions - 1
	}
	if again == 0 || fronts[0].given[0].Load() == 0 || fronts[1].given[1].Load() == 0 {
		t.Errorf("%d clients in IDLE came back; the nodes had %d and %d of the senders' connections: this shows nothing",
			again, fronts[0].given[0].Load(), fronts[0].given[1].Load())
	}
	t.Logf("%d acknowledged, %d there, %d clients in IDLE came back", len(acked.all()), len(got), again)
}

// stubborn submits through whatever happens to the connection.
type stubborn struct {
	relay    *relay
	from, to account
	tls      *tls.Config
}

// send submits n messages, each until it is acknowledged.
func (s stubborn) send(t *testing.T, ctx context.Context, acked *ledger, body, prefix string, n int) {
	var c *smtp.Client
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for i := range n {
		id := fmt.Sprintf("%s.%d@nodes.invalid", prefix, i)
		mail := messageID.ReplaceAllString(body, "Message-ID: <"+id+">")
		for {
			if ctx.Err() != nil {
				t.Errorf("message %s was not acknowledged in time", id)
				return
			}
			if c == nil {
				c = s.dial()
			}
			if c != nil && send(c, s.from.Address, s.to.Address, mail) == nil {
				break
			}
			if c != nil {
				c.Close()
				c = nil
			}
		}
		acked.add(id)
	}
}

// dial returns a logged-in client, or nil while no node answers.
func (s stubborn) dial() *smtp.Client {
	c, err := smtp.DialTLS(s.relay.SMTPS, s.tls)
	if err != nil {
		return nil
	}
	if c.Auth(sasl.NewPlainClient("", s.from.Address, s.from.Password)) != nil {
		c.Close()
		return nil
	}
	return c
}

// watcher is a client that waits in IDLE, and fetches what it is told of. It comes
// back when its connection goes.
type watcher struct {
	relay *relay
	who   account
	tls   *tls.Config

	mu       sync.Mutex
	changed  chan struct{} // closed with each change, and made anew
	seen     map[string]bool
	last     imap.UID
	sessions int
}

func newWatcher(r *relay, a account, config *tls.Config) *watcher {
	return &watcher{relay: r, who: a, tls: config, changed: make(chan struct{}), seen: map[string]bool{}}
}

func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.session(ctx); err != nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond): // as a client waits before it tries again
			}
		}
	}
}

// session lasts as long as its connection.
func (w *watcher) session(ctx context.Context) error {
	news := make(chan struct{}, 1)
	c, err := imapclient.DialTLS(w.relay.IMAPS, &imapclient.Options{TLSConfig: w.tls, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(m *imapclient.UnilateralDataMailbox) {
			if m.NumMessages != nil {
				select {
				case news <- struct{}{}:
				default:
				}
			}
		}}})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Login(w.who.Address, w.who.Password).Wait(); err != nil {
		return err
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return err
	}
	w.note(func() { w.sessions++ })
	for {
		if err := w.fetch(c); err != nil {
			return err
		}
		idle, err := c.Idle()
		if err != nil {
			return err
		}
		select {
		case <-news:
		case <-c.Closed():
			return errors.New("the connection was lost")
		case <-ctx.Done():
			return nil
		}
		if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
			return err
		}
	}
}

// fetch fetches what is new.
func (w *watcher) fetch(c *imapclient.Client) error {
	msgs, err := c.Fetch(imap.UIDSet{{Start: w.last + 1, Stop: 0}}, &imap.FetchOptions{UID: true, Envelope: true}).Collect()
	if err != nil {
		return err
	}
	w.note(func() {
		for _, m := range msgs {
			w.seen[m.Envelope.MessageID] = true
			w.last = max(w.last, m.UID)
		}
	})
	return nil
}

// note makes a change that others may wait for.
func (w *watcher) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until something holds of a watcher.
func (w *watcher) await(t *testing.T, ctx context.Context, holds func(*watcher) bool) {
	t.Helper()
	for {
		w.mu.Lock()
		done, changed, n := holds(w), w.changed, len(w.seen)
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("a client in IDLE has seen %d messages after %d sessions", n, w.sessions)
		}
	}
}

package queue

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/test/logbook"
)

// A house is a store with a service and an account anna@here.example, and the
// world outside: DNS, a network, and a server of there.example.
type house struct {
	*mailbox.Service
	*world
	store   *sqlstore.Store
	sink    *sink
	session *mailbox.Session
	log     *logbook.Book

	mu    sync.Mutex
	clock time.Time
}

func newHouse(t testing.TB, change ...func(*smtp.Server)) *house {
	t.Helper()
	h := &house{clock: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), log: &logbook.Book{}}
	dir, secret := t.TempDir(), [seal.RelaySecretSize]byte{1}
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{
		Path: filepath.Join(dir, "mail.db"), CheckOnClose: true, Now: h.now,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(secret, id).Check() },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.store = store
	h.Service, err = mailbox.New(mailbox.Options{
		Store: store, Key: seal.NewRelayKey(secret, store.ID()), Domain: "here.example", TempDir: dir, Now: h.now,
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Service.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		h.checkLog(t)
	})
	h.openAccount(t)
	h.world = newWorld(t, false, "there.example. MX 10 mx.there.example.", "mx.there.example. A 192.0.2.1")
	h.sink = newSink(t, change...)
	h.network.servers["192.0.2.1:25"] = h.sink.address
	return h
}

func (h *house) openAccount(t testing.TB) {
	t.Helper()
	c, err := h.CreateAccount(t.Context(), addr.MustParse("anna@here.example"), mailbox.NewAccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.session, err = h.Login(t.Context(), mailbox.Login{User: "anna@here.example", Secret: c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.session.Close)
}

// checkLog looks for what no log may hold.
func (h *house) checkLog(t testing.TB) {
	t.Helper()
	for _, mark := range []string{"there.example", "anna", "192.0.2.", "127.0.0.1", "bert"} {
		if strings.Contains(h.log.String(), mark) {
			t.Errorf("the log has %q in it:\n%s", mark, h.log)
		}
	}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

// send puts a message of anna's into the queue.
func (h *house) send(t testing.TB, text string, to ...string) {
	t.Helper()
	h.sendFrom(t, addr.MustParse("anna@here.example"), text, to...)
}

func (h *house) sendFrom(t testing.TB, from addr.Address, text string, to ...string) {
	t.Helper()
	m, err := h.Receive(t.Context(), strings.NewReader(text), mailbox.ReceiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var away mailbox.Sending
	for _, s := range newParcel("", to...).to {
		away.To = append(away.To, mailbox.Addressee{Address: s.address, Notify: s.notify})
	}
	if err := h.Dispatch(t.Context(), from, nil, away, m); err != nil {
		t.Fatal(err)
	}
}

// letter returns a small message.
func letter(subject string) string {
	return "From: anna@here.example\r\nMessage-ID: <" + subject + "@here.example>\r\nSubject: " + subject + "\r\n\r\nThe text of " + subject + ".\r\n"
}

// start begins to work on the queue, until stop is called or the test ends.
func (h *house) start(t testing.TB, change ...func(*Options)) (w *Worker, stop func()) {
	t.Helper()
	o := Options{
		Outbox: h.Outbox(), Hostname: "mail.here.example", Domain: "here.example", Resolver: h.resolver, Roots: h.router.tls,
		Limits: Limits{Poll: 5 * time.Millisecond}, Now: h.now,
		Log: slog.New(slog.NewTextHandler(h.log, nil)),
		testOnlyRouter: func(r *router) {
			r.dialer, r.usable, r.sts = h.dialer, netip.Addr.IsValid, h.sts
		},
	}
	for _, f := range change {
		f(&o)
	}
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return w, stop
}

// until waits for something that happens meanwhile.
func until(t testing.TB, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); !happened(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("within two minutes, it did not happen that %s", what)
		}
	}
}

// queued lists the letters in the queue.
func (h *house) queued(t testing.TB) []*mailbox.Letter {
	t.Helper()
	var all []*mailbox.Letter
	err := h.Outbox().Each(t.Context(), func(l *mailbox.Letter) error {
		all = append(all, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// inbox reads anna's mail.
func (h *house) inbox(t *testing.T) []string {
	t.Helper()
	var texts []string
	err := h.session.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		b, err := i.Body(t.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		text := make([]byte, b.Size())
		_, err = b.ReadAt(text, 0)
		texts = append(texts, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

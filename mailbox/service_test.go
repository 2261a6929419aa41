package mailbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/test/logbook"
)

// relaySecret is the relay key of every test.
var relaySecret = [seal.RelaySecretSize]byte{7: 1}

// world is a service on a store of its own, with a clock that stands still.
type world struct {
	*mailbox.Service
	store *sqlstore.Store
	path  string
	clock *clock
	log   *logbook.Book
}

// newWorld makes a world; change alters the options before it begins.
func newWorld(tb testing.TB, change ...func(*mailbox.Options)) *world {
	tb.Helper()
	return openWorld(tb, filepath.Join(tb.TempDir(), "mail.db"), true, change...)
}

// openWorld makes a world on a file. With check, the store must be consistent when
// it is closed.
func openWorld(tb testing.TB, path string, check bool, change ...func(*mailbox.Options)) *world {
	tb.Helper()
	w := &world{path: path, clock: newClock(), log: &logbook.Book{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	var err error
	w.store, err = sqlstore.Open(tb.Context(), sqlstore.Options{
		Path: path, CheckOnClose: check, Now: w.clock.Now, Log: log,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(relaySecret, id).Check() },
	})
	if err != nil {
		tb.Fatal(err)
	}
	w.Service = w.newService(tb, change...)
	tb.Cleanup(func() { w.close(tb) })
	return w
}

// newService makes one more service on the world's store, as another node would be.
func (w *world) newService(tb testing.TB, change ...func(*mailbox.Options)) *mailbox.Service {
	tb.Helper()
	o := mailbox.Options{
		Store: w.store, Key: seal.NewRelayKey(relaySecret, w.store.ID()), Domain: "example.org", TempDir: tb.TempDir(),
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1}, Now: w.clock.Now, Wait: w.clock.Wait,
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	for _, f := range change {
		f(&o)
	}
	s, err := mailbox.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// close ends service and store, which then checks that it is consistent.
func (w *world) close(tb testing.TB) {
	tb.Helper()
	if err := w.Service.Close(); err != nil {
		tb.Error(err)
	}
	if err := w.store.Close(); err != nil {
		tb.Error(err)
	}
}

// clock is a time that only tests move. A wait moves it too, and is remembered.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// waited returns the waits since the last call.
func (c *clock) waited() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := c.waits
	c.waits = nil
	return waits
}

// account makes an account with a generated secret.
func (w *world) account(tb testing.TB, address string) mailbox.Created {
	tb.Helper()
	c, err := w.CreateAccount(tb.Context(), addr.MustParse(address), mailbox.NewAccountOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// login opens a session until the end of the test.
func (w *world) login(tb testing.TB, c mailbox.Created) *mailbox.Session {
	tb.Helper()
	x, err := w.Login(tb.Context(), mailbox.Login{User: c.Address.String(), Secret: c.Secret})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(x.Close)
	return x
}

// owner makes an account and logs in.
func (w *world) owner(tb testing.TB, address string) (*mailbox.Session, mailbox.Created) {
	tb.Helper()
	c := w.account(tb, address)
	return w.login(tb, c), c
}

// message returns a small mail, and one with a body of so many lines more.
func message(subject string, lines int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From: A <a@example.net>\r\nTo: b@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.net>\r\n", subject, subject)
	b.WriteString("Date: Mon, 4 May 2026 05:02:01 +0200\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n")
	fmt.Fprintf(&b, "This is %s.\r\n", subject)
	for i := range lines {
		fmt.Fprintf(&b, "Line %07d of a text that is long enough to be worth a line of its own.\r\n", i)
	}
	return b.String()
}

// receive takes a message in until the end of the test.
func (w *world) receive(tb testing.TB, text string) *mailbox.Spooled {
	tb.Helper()
	m, err := w.Receive(tb.Context(), strings.NewReader(text), mailbox.ReceiveOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	return m
}

// deliver delivers a message to addresses.
func (w *world) deliver(tb testing.TB, text string, to ...string) {
	tb.Helper()
	m := w.receive(tb, text)
	if err := w.Deliver(tb.Context(), addr.MustParse("a@example.net"), w.recipients(tb, to...), m); err != nil {
		tb.Fatal(err)
	}
	if err := m.Close(); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) recipients(tb testing.TB, to ...string) []mailbox.Recipient {
	tb.Helper()
	var list []mailbox.Recipient
	for _, a := range to {
		r, err := w.Recipient(tb.Context(), addr.MustParse(a), 0)
		if err != nil {
			tb.Fatalf("recipient %s: %v", a, err)
		}
		list = append(list, r)
	}
	return list
}

// texts reads the bodies of a mailbox, by UID.
func texts(tb testing.TB, x *mailbox.Session, mbox mailbox.MailboxID) map[mailbox.UID]string {
	tb.Helper()
	all := map[mailbox.UID]string{}
	err := x.Fetch(tb.Context(), mbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		text, err := textOf(tb.Context(), i)
		all[i.UID] = text
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// count returns how many messages a mailbox has. It opens none, so that they may go
// meanwhile.
func count(tb testing.TB, x *mailbox.Session, mbox mailbox.MailboxID) (n int) {
	tb.Helper()
	err := x.Fetch(tb.Context(), mbox, mailbox.AllUIDs(), func(*mailbox.Item) error {
		n++
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func textOf(ctx context.Context, i *mailbox.Item) (string, error) {
	b, err := i.Body(ctx)
	if err != nil {
		return "", err
	}
	defer b.Close()
	text := make([]byte, b.Size())
	if _, err := b.ReadAt(text, 0); err != nil {
		return "", err
	}
	return string(text), nil
}

// until waits for something that happens in the background.
func until(tb testing.TB, happened func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(60 * time.Second); !happened(); {
		select {
		case <-tick.C:
		case <-late:
			tb.Fatal("it didn't happen within 60 s")
		}
	}
}

// counter numbers things.
type counter struct{ n atomic.Int64 }

func (c *counter) next() int64 { return c.n.Add(1) }

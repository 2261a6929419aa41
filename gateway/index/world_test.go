package index

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
)

// world is a local store with an index, served twice: with the index and without.
type world struct {
	options vault.Options
	vault   *vault.Vault
	service *mailbox.Service
	*mailbox.Session
	*Index
	with, plain *imapclient.Client
}

func newWorld(tb testing.TB, s sizes) *world {
	tb.Helper()
	w := &world{options: vault.Options{
		Dir: tb.TempDir(), Passphrase: func() (string, error) { return "x", nil },
		Stretch: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	}}
	var err error
	w.vault, err = vault.Create(w.options)
	must(tb, err)
	tb.Cleanup(func() { must(tb, w.vault.Close()) })
	w.Index, err = Open(w.vault)
	must(tb, err)
	w.sizes = s
	w.service = newService(tb)
	made, err := w.service.CreateAccount(tb.Context(), addr.MustParse("me@example.org"), mailbox.NewAccountOptions{})
	must(tb, err)
	w.Session, err = w.service.Login(tb.Context(), mailbox.Login{User: made.Address.String(), Secret: made.Secret})
	must(tb, err)
	tb.Cleanup(w.Session.Close)
	w.with, w.plain = w.client(tb, made, late{w}), w.client(tb, made, nil)
	return w
}

// late is the index that the world has at the time of the search.
type late struct{ w *world }

func (l late) Look(ctx context.Context, box mailbox.Mailbox, set []mailbox.UIDRange, text []byte, in imapd.Places) (has, may []mailbox.UIDRange) {
	return l.w.Index.Look(ctx, box, set, text, in)
}

func newService(tb testing.TB) *mailbox.Service {
	tb.Helper()
	key := func(id seal.StoreID) *seal.RelayKey { return seal.NewRelayKey([seal.RelaySecretSize]byte{1}, id) }
	dir := tb.TempDir()
	store, err := sqlstore.Open(context.WithoutCancel(tb.Context()), sqlstore.Options{
		Path: filepath.Join(dir, "mail.db"), KeyCheck: func(id seal.StoreID) seal.KeyCheck { return key(id).Check() },
	})
	must(tb, err)
	tb.Cleanup(func() { must(tb, store.Close()) })
	service, err := mailbox.New(mailbox.Options{
		Store: store, Key: key(store.ID()), Domain: "example.org", TempDir: dir,
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	})
	must(tb, err)
	tb.Cleanup(func() { must(tb, service.Close()) })
	return service
}

// client is a mail client on an IMAP server.
func (w *world) client(tb testing.TB, made mailbox.Created, ix imapd.Index) *imapclient.Client {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	server := imapd.New(imapd.Options{Service: w.service, InsecureAuth: true, Index: ix})
	go func() { done <- server.Serve(ctx, ln) }()
	tb.Cleanup(func() {
		cancel()
		must(tb, <-done)
	})
	c, err := imapclient.DialInsecure(ln.Addr().String(), nil)
	must(tb, err)
	tb.Cleanup(func() { c.Close() })
	must(tb, c.Login(made.Address.String(), made.Secret).Wait())
	_, err = c.Enable(imap.CapIMAP4rev2).Wait() // the client quotes UTF-8 as soon as this is offered
	must(tb, err)
	_, err = c.Select("INBOX", nil).Wait()
	must(tb, err)
	return c
}

// deliver puts mails into a mailbox, in one transaction.
func (w *world) deliver(tb testing.TB, id mailbox.MailboxID, mails ...string) {
	tb.Helper()
	var list []mailbox.Append
	for _, m := range mails {
		s, err := w.service.Receive(tb.Context(), strings.NewReader(m), mailbox.ReceiveOptions{})
		must(tb, err)
		defer s.Close()
		list = append(list, mailbox.Append{Message: s})
	}
	_, err := w.Session.Append(tb.Context(), id, list...)
	must(tb, err)
}

// agree searches with the index and without, and holds them to one answer.
func (w *world) agree(tb testing.TB, c *imap.SearchCriteria) []imap.UID {
	tb.Helper()
	var answers [2][]imap.UID
	for i, client := range []*imapclient.Client{w.with, w.plain} {
		found, err := client.UIDSearch(c, nil).Wait()
		must(tb, err)
		answers[i] = found.AllUIDs()
		slices.Sort(answers[i])
	}
	if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
		tb.Fatalf("search for %s: with the index - without +\n%s", criteria(c), diff)
	}
	return answers[0]
}

func criteria(c *imap.SearchCriteria) string {
	return fmt.Sprintf("header %q body %q text %q not %d or %d", c.Header, c.Body, c.Text, len(c.Not), len(c.Or))
}

// reopen is a restart, or what comes after a crash.
func (w *world) reopen(tb testing.TB) {
	tb.Helper()
	must(tb, w.vault.Close())
	var err error
	w.vault, err = vault.Open(w.options)
	must(tb, err)
	s := w.sizes
	w.Index, err = Open(w.vault)
	must(tb, err)
	w.sizes = s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

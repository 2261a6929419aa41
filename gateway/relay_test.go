package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/mta"
	"github.com/restante/restante/pgp"
)

// testTimeout bounds every wait of a test; none of them takes a second.
const testTimeout = 20 * time.Second

// inspector is the relay's gate.
type inspector struct{ *pgp.Inspector }

func (i inspector) Close() (*mime.Message, error) {
	if _, err := i.Inspector.Close(); err != nil {
		return nil, err
	}
	return i.Message(), nil
}

func encryptedOnly(o mailbox.GateOptions) mailbox.Judge {
	return inspector{pgp.NewInspector(pgp.InspectOptions{NullSender: o.NullSender, Keep: o.Walk.Keep})}
}

// testRelay is a real relay in this process, with its gate on.
type testRelay struct {
	service *mailbox.Service
	ca      []byte
	smtps   string
	imaps   string
}

func openTestStore(t testing.TB, path string, key func(seal.StoreID) *seal.RelayKey) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.WithoutCancel(t.Context()), sqlstore.Options{
		Path: path, CheckOnClose: true,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return key(id).Check() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newRelay(t testing.TB, change ...func(*mailbox.Options)) *testRelay {
	t.Helper()
	dir := t.TempDir()
	key := func(id seal.StoreID) *seal.RelayKey { return seal.NewRelayKey([seal.RelaySecretSize]byte{1}, id) }
	store := openTestStore(t, filepath.Join(dir, "mail.db"), key)
	t.Cleanup(func() { closeOrFail(t, store) })
	o := mailbox.Options{
		Store: store, Key: key(store.ID()), Domain: "relay.test", TempDir: dir,
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	}
	for _, f := range change {
		f(&o)
	}
	service, err := mailbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOrFail(t, service) })
	certs, err := listen.OpenTLS(listen.TLSOptions{Dir: filepath.Join(dir, "tls"), Names: []string{"localhost", "127.0.0.1", "relay.test"}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := mta.New(mta.Options{Service: service, Domains: []string{"relay.test"}, Gate: encryptedOnly})
	if err != nil {
		t.Fatal(err)
	}
	ln := listenLoopback(t)
	serve(t, func(ctx context.Context) error {
		return server.ServeSubmission(ctx, tls.NewListener(ln, certs.Config("smtp")))
	})
	imap := listenLoopback(t)
	reader := imapd.New(imapd.Options{Service: service, Gate: encryptedOnly, NewAlias: newAlias, Secrets: true})
	serve(t, func(ctx context.Context) error { return reader.Serve(ctx, tls.NewListener(imap, certs.Config("imap"))) })
	return &testRelay{service: service, ca: certs.CA(), smtps: ln.Addr().String(), imaps: imap.Addr().String()}
}

// newAlias gives an account one more address, of a name that tells nothing.
func newAlias(ctx context.Context, x *mailbox.Session, local string) (addr.Address, error) {
	if local == "" {
		local = "q" + strings.ToLower(rand.Text()[:9])
	}
	a, err := addr.Parse(local + "@relay.test")
	if err == nil {
		err = x.AddAlias(ctx, a)
	}
	return a, err
}

// serve runs f until the test ends, and waits for it. The cleanup comes before those
// of what f stands on.
func serve(t testing.TB, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func closeOrFail(t testing.TB, c io.Closer) {
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func listenLoopback(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// account makes an account at the relay.
func (r *testRelay) account(t testing.TB, name string) Account {
	t.Helper()
	c, err := r.service.CreateAccount(t.Context(), addr.MustParse(name+"@relay.test"), mailbox.NewAccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return Account{Address: c.Address.String(), Password: c.Secret, SMTPS: r.smtps, IMAPS: r.imaps, CA: r.ca}
}

// inbox returns the mail in an account's INBOX at the relay.
func (r *testRelay) inbox(t testing.TB, a Account) [][]byte {
	t.Helper()
	x, err := r.service.Login(t.Context(), mailbox.Login{User: a.Address, Secret: a.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	return mailIn(t, x, mailbox.Inbox)
}

func mailIn(t testing.TB, x *mailbox.Session, box mailbox.MailboxID) (list [][]byte) {
	t.Helper()
	err := x.Fetch(t.Context(), box, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		b, err := i.Body(t.Context())
		if err != nil {
			return err
		}
		var mail bytes.Buffer
		if _, err := io.Copy(&mail, b.Section(0, b.Size())); err != nil {
			return err
		}
		list = append(list, mail.Bytes())
		return b.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// home is a user's machine: a vault and a local store in one folder.
type home struct {
	dir     string
	account Account
	key     *pgp.Key
	options vault.Options
	vault   *vault.Vault
	store   *sqlstore.Store
	*Gateway
}

// newHome sets up a gateway for an account, with a key of its own.
func newHome(t testing.TB, account Account) *home {
	t.Helper()
	v, o := newVault(t)
	h := &home{dir: t.TempDir(), account: account, options: o, vault: v}
	a, key := generate(t, account.Address)
	h.key = key
	if err := SaveAccount(v, account); err != nil {
		t.Fatal(err)
	}
	if err := AddKey(v, a, key, time.Now()); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	t.Cleanup(func() { h.close(t) })
	return h
}

func (h *home) open(t testing.TB) {
	t.Helper()
	h.store = openTestStore(t, filepath.Join(h.dir, "mail.db"), func(id seal.StoreID) *seal.RelayKey {
		key, err := StoreKey(h.vault, id)
		if err != nil {
			t.Fatal(err)
		}
		return key
	})
	var err error
	h.Gateway, err = Open(t.Context(), Options{
		Vault: h.vault, Store: h.store, TempDir: h.dir, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *home) close(t testing.TB) {
	closeOrFail(t, h.Gateway)
	closeOrFail(t, h.store)
	closeOrFail(t, h.vault)
}

// reopen is a restart of the gateway.
func (h *home) reopen(t testing.TB) {
	t.Helper()
	h.close(t)
	h.unlock(t)
	h.open(t)
}

// unlock opens the vault.
func (h *home) unlock(t testing.TB) {
	t.Helper()
	v, err := vault.Open(h.options)
	if err != nil {
		t.Fatal(err)
	}
	h.vault = v
}

// knows pins somebody's key.
func (h *home) knows(t testing.TB, address string, c *pgp.Cert) {
	t.Helper()
	a := addr.MustParse(address)
	_, err := h.Contacts().Update(a, func(p Peer) (Peer, Event) {
		return p.See(a, Sighting{Date: time.Now().Add(-time.Minute), Cert: c, Signer: c.Fingerprint()})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sent is a mail as its recipient finds it.
type sent struct {
	raw string
	pgp.Opened
	text string
}

// openMail decrypts a mail with the key of one of its recipients.
func openMail(t testing.TB, raw []byte, reader *pgp.Key, writers ...*pgp.Cert) sent {
	t.Helper()
	var text bytes.Buffer
	opened, err := pgp.Open(&text, bytes.NewReader(raw), pgp.DecryptOptions{Keys: []*pgp.Key{reader}, Certs: writers})
	if err != nil {
		t.Fatal(err)
	}
	return sent{string(raw), opened, text.String()}
}

// get returns the value of a field of the protected header.
func (s sent) get(name string) string {
	for _, f := range s.Header {
		if f.Is(name) {
			return f.Value
		}
	}
	return ""
}

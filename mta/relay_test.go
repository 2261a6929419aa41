package mta

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/pgp"
	"github.com/restante/restante/test/logbook"
)

// A relay is a whole relay on loopback but for IMAP: a store in a temporary
// folder, the mailbox service, and a server with a listener of each kind. It has
// the accounts anna, bert, full (which has room for 600 bytes) and off (which is disabled),
// each with the password "secret of " and the name.
type relay struct {
	service *mailbox.Service
	server  *Server
	store   *faultyStore
	log     *logbook.Book
	stop    func()            // begins to stop the server
	ended   chan struct{}     // closed when it has stopped
	address map[string]string // by kind: submission, smtps, mx
	tls     *tls.Config       // of clients
}

// kinds of listeners.
var kinds = []string{"submission", "smtps", "mx"}

// newRelay starts a relay; change alters the options before. It is stopped, and
// its log searched for what no log may hold, at the end of the test.
func newRelay(tb testing.TB, change ...func(*Options)) *relay {
	tb.Helper()
	r := &relay{log: &logbook.Book{}, address: map[string]string{}, ended: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.open(tb, log)
	serverTLS, clientTLS := certificate(tb)
	r.tls = clientTLS
	o := Options{Service: r.service, Domains: []string{"here.example", "Alias.Example"}, Hostname: "mail.here.example", TLS: serverTLS, Log: log,
		Now: func() time.Time { return noon }, Origin: OriginUnchecked}
	for _, f := range change {
		f(&o)
	}
	server, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	r.server = server
	r.serve(tb, server, serverTLS)
	tb.Cleanup(func() {
		r.stop()
		<-r.ended
		r.checkLog(tb)
	})
	return r
}

// open opens a copy of the template store.
func (r *relay) open(tb testing.TB, log *slog.Logger) {
	tb.Helper()
	data, err := template()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, storeFile), data, 0o600); err != nil {
		tb.Fatal(err)
	}
	store, service, err := openStore(tb.Context(), dir, log, func(s mailbox.Store) mailbox.Store {
		r.store = &faultyStore{Store: s}
		return r.store
	})
	if err != nil {
		tb.Fatal(err)
	}
	r.service = service
	tb.Cleanup(func() {
		if err := errors.Join(service.Close(), store.Close()); err != nil {
			tb.Error(err)
		}
	})
}

const storeFile = "mail.db"

// openStore opens the store in a folder, and a service on what wrap makes of it.
func openStore(ctx context.Context, dir string, log *slog.Logger, wrap func(mailbox.Store) mailbox.Store) (*sqlstore.Store, *mailbox.Service, error) {
	secret := [seal.RelaySecretSize]byte{1}
	store, err := sqlstore.Open(ctx, sqlstore.Options{
		Path: filepath.Join(dir, storeFile), CheckOnClose: true, Log: log,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(secret, id).Check() },
	})
	if err != nil {
		return nil, nil, err
	}
	service, err := mailbox.New(mailbox.Options{
		Store: wrap(store), Key: seal.NewRelayKey(secret, store.ID()), Domain: "here.example", TempDir: dir, Log: log,
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
		Wait:      func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	return store, service, err
}

// template returns the file of a store with the accounts of a relay. It is made
// once, because each account takes several writes that wait for the disk.
var template = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "mta")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, none := context.Background(), slog.New(slog.DiscardHandler)
	store, service, err := openStore(ctx, dir, none, func(s mailbox.Store) mailbox.Store { return s })
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"anna", "bert", "full", "off"} {
		err = errors.Join(err, account(ctx, service, name))
	}
	off, err2 := service.FindAccount(ctx, "off")
	err = errors.Join(err, err2, service.SetState(ctx, off.ID, mailbox.Disabled), service.Close(), store.Close())
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, storeFile))
})

// account makes an account.
func account(ctx context.Context, s *mailbox.Service, name string) error {
	o := mailbox.NewAccountOptions{Password: "secret of " + name}
	if name == "full" {
		o.Quota = &mailbox.Quota{Bytes: 600}
	}
	_, err := s.CreateAccount(ctx, addr.MustParse(name+"@here.example"), o)
	return err
}

// serve starts the listeners.
func (r *relay) serve(tb testing.TB, server *Server, config *tls.Config) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	var running sync.WaitGroup
	for _, kind := range kinds {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		r.address[kind] = ln.Addr().String()
		run := server.ServeSubmission
		switch kind {
		case "mx":
			run = server.ServeMX
		case "smtps":
			ln = tls.NewListener(ln, config)
		}
		running.Go(func() {
			if err := run(ctx, ln); err != nil {
				tb.Errorf("%s: %v", kind, err)
			}
		})
	}
	go func() {
		running.Wait()
		close(r.ended)
	}()
}

// dial connects to a listener.
func (r *relay) dial(ctx context.Context, kind string) (net.Conn, error) {
	var d net.Dialer
	if kind != "smtps" {
		return d.DialContext(ctx, "tcp", r.address[kind])
	}
	t := tls.Dialer{NetDialer: &d, Config: r.tls}
	return t.DialContext(ctx, "tcp", r.address[kind])
}

// inbox returns the messages in the account's INBOX, oldest first.
func (r *relay) inbox(ctx context.Context, name string) ([][]byte, error) {
	x, err := r.service.Login(ctx, mailbox.Login{User: name, Secret: "secret of " + name})
	if err != nil {
		return nil, err
	}
	defer x.Close()
	var all [][]byte
	err = x.Fetch(ctx, mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		body, err := i.Body(ctx)
		if err != nil {
			return err
		}
		message, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		all = append(all, message)
		return errors.Join(err, body.Close())
	})
	return all, err
}

// owner logs in as the owner of an account, until the end of the test.
func (r *relay) owner(tb testing.TB, name string) *mailbox.Session {
	tb.Helper()
	x, err := r.service.Login(tb.Context(), mailbox.Login{User: name, Secret: "secret of " + name})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(x.Close)
	return x
}

// do is what "! ..." lines of transcripts can call.
func (r *relay) do(ctx context.Context, verb string, args []string, file func(string) ([]byte, bool)) error {
	switch verb {
	case "inbox": // account number: how many messages it has
		all, err := r.inbox(ctx, args[0])
		if err == nil && strconv.Itoa(len(all)) != args[1] {
			err = fmt.Errorf("%s has %d messages", args[0], len(all))
		}
		return err
	case "last": // account file: the last message is this file
		all, err := r.inbox(ctx, args[0])
		if err != nil || len(all) == 0 {
			return fmt.Errorf("%d messages: %w", len(all), err)
		}
		if want, _ := file(args[1]); !bytes.Equal(all[len(all)-1], want) {
			return fmt.Errorf("the last message is %q", all[len(all)-1])
		}
		return nil
	case "matches": // account file: the last message is what the expression in the file says
		all, err := r.inbox(ctx, args[0])
		if err != nil || len(all) == 0 {
			return fmt.Errorf("%d messages: %w", len(all), err)
		}
		want, _ := file(args[1])
		if !regexp.MustCompile("^" + string(want) + "$").Match(all[len(all)-1]) {
			return fmt.Errorf("the last message is %q", all[len(all)-1])
		}
		return nil
	case "account": // name
		return account(ctx, r.service, args[0])
	case "drained": // the server has taken notice of closed connections
		r.stop()
		<-r.ended
		return nil
	case "queue": // number: so many letters are on their way to other domains
		n := 0
		err := r.service.Outbox().Each(ctx, func(*mailbox.Letter) error { n++; return nil })
		if err == nil && strconv.Itoa(n) != args[0] {
			err = fmt.Errorf("there are %d letters", n)
		}
		return err
	case "disable":
		a, err := r.service.FindAccount(ctx, args[0])
		return errors.Join(err, r.service.SetState(ctx, a.ID, mailbox.Disabled))
	case "fail": // error: of the next deliveries
		r.store.set(faults[args[0]])
		return nil
	case "stop":
		r.stop()
		return nil
	case "stopped":
		<-r.ended
		return nil
	case "log": // word: it is there
		if !strings.Contains(r.log.String(), args[0]) {
			return fmt.Errorf("the log has no %q:\n%s", args[0], r.log.String())
		}
		return nil
	}
	return fmt.Errorf("no verb %q", verb)
}

// checkLog looks for what clients sent or were, as the tests spell it.
func (r *relay) checkLog(tb testing.TB) {
	tb.Helper()
	for _, word := range []string{"127.0.0.1", "here.example", "there.example", "client.example", "secret", "c2VjcmV0", "Subject", "hello world"} {
		if strings.Contains(r.log.String(), word) {
			tb.Errorf("the log has %q:\n%s", word, r.log.String())
		}
	}
}

// A faultyStore fails deliveries when it is told to.
type faultyStore struct {
	mailbox.Store
	mu  sync.Mutex
	err error
}

// faults by the name that transcripts use.
var faults = map[string]error{
	"none": nil, "full": mailbox.ErrFull, "unknown": mailbox.ErrUnknown, "busy": mailbox.ErrBusy,
	"foreign": errors.New("disk 7 is on fire"), "panic": errPanic,
}

func (s *faultyStore) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *faultyStore) Accept(ctx context.Context, ds []mailbox.Delivery, out ...mailbox.Outbound) ([]mailbox.Receipt, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	switch err {
	case nil:
		return s.Store.Accept(ctx, ds, out...)
	case errPanic:
		panic("hello world")
	}
	for _, d := range ds {
		d.Body.Discard()
	}
	for _, o := range out {
		if o.Body != nil {
			o.Body.Discard()
		}
	}
	return nil, err
}

// gate is the relay's gate as cmd wires it.
func gate(o mailbox.GateOptions) mailbox.Judge {
	return judge{pgp.NewInspector(pgp.InspectOptions{NullSender: o.NullSender, SecureJoin: true, Keep: o.Walk.Keep})}
}

type judge struct{ *pgp.Inspector }

func (j judge) Close() (*mime.Message, error) {
	_, err := j.Inspector.Close()
	return j.Message(), err
}

// certificate returns the TLS configurations of server and clients, the same for
// all tests.
func certificate(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	pair, err := testCertificate()
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	return &tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: roots, ServerName: "mail.here.example"}
}

var testCertificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mail.here.example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
})

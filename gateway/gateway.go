// Package gateway is the user's half of Restante: what runs on the machine of
// the person who writes and reads, and meets the relay only on the wire.
//
// A Gateway stands between a mail client that knows nothing of OpenPGP and an
// account at a mail provider:
//
//	v, err := vault.Open(vault.Options{Dir: dir, Keyring: vault.OSKeyring()})
//	store, err := sqlstore.Open(ctx, …)          // with StoreKey(v, id)
//	g, err := gateway.Open(ctx, gateway.Options{Vault: v, Store: store})
//	group.Go(func() error { return g.ServeSubmission(ctx, smtpListener) })
//	group.Go(func() error { return g.ServeIMAP(ctx, imapListener) })
//	group.Go(func() error { return g.Run(ctx) })
//
// Out: mail that the client submits is signed and encrypted to every recipient, with
// its header, or nothing is sent and the client hears for whom a key is missing
// (outgoing.go, recipients.go). What was accepted is in the vault before the client
// hears "250", and stays there until the provider has it or the user was told that it
// never will (outbox.go, sender.go).
//
// In: mail is fetched, decrypted and verified, and the verified content stored, sealed,
// for the client to read by IMAP (incoming.go, verdict.go, render.go). Flags, moves,
// deletions and what the client stores travel both ways (sync.go has the rules).
//
// Search: package index keeps grams and texts of the local mail, sealed, so that the
// client's SEARCH opens few messages (searcher.go).
//
// Keys: what is known of other people's keys, and which of them is trusted, are
// values and pure functions (peer.go, learn.go).
//
// Upstream is the account on the provider, reached by SMTP submission and IMAP over
// TLS as any mail client reaches it. Letter writes and opens single messages; the
// relay's own demonstration is made of it.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/gateway/index"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/pgp"
)

// Options is what a Gateway is made of. Vault and Store are needed; the zero value
// of everything else is a documented default.
type Options struct {
	// Vault has the account (SaveAccount) and its key (AddKey).
	Vault *vault.Vault
	// Store is the local mail store, opened with StoreKey.
	Store mailbox.Store

	// Web asks the domains of recipients for their keys; nil asks none. Where the
	// account has a proxy, Web must have an *http.Transport, and is led through it.
	Web *http.Client

	TempDir string           // for spool files, which are sealed; "" is the system's
	Log     *slog.Logger     // nil discards
	Now     func() time.Time // nil is the clock
}

// Gateway is one account's gateway. It is safe for concurrent use.
type Gateway struct {
	o         Options
	upstream  Upstream
	contacts  *Contacts
	local     *Local
	box       *outbox
	name      string // the user's, for those they meet
	joins     *joiner
	groups    *groups
	directory *directory
	sender    *sender
	watcher   *watcher
	keeper    *keeper
	searcher  *searcher
	threads   *threads
	own       atomic.Pointer[identities]
	renewing  sync.Mutex // one change of the account's password at a time
}

// Open opens the local store and reads the account and its keys. Vault and Store
// stay the caller's, to be closed after the Gateway. Errors: ErrNoIdentity.
func Open(ctx context.Context, o Options) (*Gateway, error) {
	o = o.withDefaults()
	account, err := LoadAccount(o.Vault)
	if err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g := &Gateway{o: o, contacts: NewContacts(o.Vault), box: &outbox{vault: o.Vault, dir: o.TempDir}}
	if g.upstream, err = account.Upstream(); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g.upstream.live = new(atomic.Pointer[string])
	g.upstream.live.Store(&account.Password)
	if err := g.ReloadKeys(); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	if err := g.box.sweep(); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g.local, err = OpenLocal(ctx, LocalOptions{
		Vault: o.Vault, Store: o.Store, Address: g.upstream.Address, TempDir: o.TempDir, Log: o.Log, Now: o.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	if err := g.openParts(account); err != nil {
		return nil, errors.Join(fmt.Errorf("open gateway: %w", err), g.local.Close())
	}
	g.sender = g.newSender()
	g.watcher = g.newWatcher()
	g.keeper = g.newKeeper()
	return g, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (g *Gateway) newSender() *sender {
	r := &reporter{box: g.box, local: g.local, now: g.o.Now, keys: func() ([]*pgp.Key, error) { return g.own.Load().Keys(), nil }}
	return &sender{
		box: g.box, submit: g.upstream.submit, report: r.report, now: g.o.Now, log: g.o.Log, wake: make(chan struct{}, 1),
	}
}

// openParts opens what stands on the vault and the local store.
func (g *Gateway) openParts(account Account) error {
	ix, err := index.Open(g.o.Vault)
	if err != nil {
		return err
	}
	g.searcher = newSearcher(ix, g.local.Session, g.o.Log)
	g.name = account.Name
	if g.threads, err = openThreads(g.o.Vault); err != nil {
		return err
	}
	if err := g.openDirectory(); err != nil {
		return err
	}
	if g.groups, err = openGroups(g.o.Vault, g.upstream.Address); err != nil {
		return err
	}
	g.joins = &joiner{
		vault: g.o.Vault, contacts: g.contacts, own: g.own.Load, now: g.o.Now, send: g.sendNote, addMember: g.joined,
	}
	return g.joins.load()
}

// openDirectory decides who is asked for keys.
func (g *Gateway) openDirectory() error {
	d, err := LoadDiscovery(g.o.Vault)
	if err != nil {
		return err
	}
	web, err := g.upstream.web(g.o.Web)
	if err != nil {
		return err
	}
	if d.NoWKD {
		web = nil
	}
	g.directory = newDirectory(web, g.contacts, g.o.Now)
	return nil
}

func (g *Gateway) newWatcher() *watcher {
	s := &syncer{
		vault: g.o.Vault, local: g.local, dir: g.o.TempDir, log: g.o.Log,
		opener: &opener{
			own: g.own.Load, contacts: g.contacts, joins: g.joins, groups: g.groups, threads: g.threads, dir: g.o.TempDir, now: g.o.Now,
		},
		upload: func(w io.Writer, header []byte, body io.Reader) error {
			return sealToSelf(w, g.own.Load().author(header), header, body, g.o.Now())
		},
	}
	return &watcher{
		sync: s, connect: g.connect, up: g.sender.retry, wake: make(chan struct{}, 1), again: make(chan struct{}), now: g.o.Now,
	}
}

// ReloadKeys reads the user's own keys anew, after AddKey.
func (g *Gateway) ReloadKeys() error {
	own, err := loadIdentities(g.o.Vault, g.upstream.Address)
	if err != nil {
		return err
	}
	g.own.Store(own)
	return nil
}

// Identity returns the user's own keys for the account's address. The caller must not
// change them.
func (g *Gateway) Identity() *Identity { return g.own.Load().main }

// Contacts returns what is known of other people's keys.
func (g *Gateway) Contacts() *Contacts { return g.contacts }

// Local returns the local mail store, whose User and Password the mail client needs.
func (g *Gateway) Local() *Local { return g.local }

// Outbox returns the mail that the provider does not have yet, the oldest first.
func (g *Gateway) Outbox() ([]Outgoing, error) { return g.box.list() }

// Send takes one mail into the outbox, as the mail client wrote it: encrypted to all
// recipients, or to none with an *Unsendable that says why. The mail is durable when
// Send returns nil. From can be any address of the user's; where it is the account's
// own, the mail goes out by the identity that its conversation or group has (ErrLinks,
// ErrEnded).
func (g *Gateway) Send(ctx context.Context, to []addr.Address, mail io.Reader) error {
	o, err := readOutgoing(mail, g.mayWrite, to, g.o.TempDir)
	if err != nil {
		return err
	}
	err = g.send(ctx, o)
	if err := errors.Join(err, o.content.close()); err != nil {
		return err
	}
	g.sender.kick()
	return nil
}

func (g *Gateway) send(ctx context.Context, o *outgoing) error {
	if command, ok := o.command(); ok {
		return g.obey(ctx, command)
	}
	if err := g.groups.route(o); err != nil {
		return err
	}
	own, err := g.voice(o)
	if err != nil {
		return err
	}
	all := g.own.Load()
	if own != all.main {
		if err := o.speakAs(own, all, g.threads); err != nil {
			return err
		}
	}
	k, err := g.resolve(ctx, own, o.to)
	if err != nil {
		return err
	}
	if _, err = g.box.put(o, k); err != nil {
		return err
	}
	return g.noteSent(o, own, all)
}

// noteSent remembers of a mail what the answers to it need.
func (g *Gateway) noteSent(o *outgoing, own *Identity, all *identities) error {
	for _, a := range o.to {
		if all.isOwn(a) {
			continue
		}
		if err := g.contacts.meet(a, own.Address, all.main.Address); err != nil {
			return err
		}
		if err := g.contacts.welcome(a, wanted); err != nil { // who is written to may answer
			return err
		}
	}
	if len(all.apart) > 0 {
		if err := g.threads.note(own.Address, o.id, o.client); err != nil {
			return err
		}
	}
	if o.group == nil {
		return nil
	}
	return g.groups.remember(o.group.ID, o.id)
}

// mayWrite reports whether mail of the user's client can have that sender.
func (g *Gateway) mayWrite(from addr.Address) bool {
	own, err := g.own.Load().live(from)
	return err == nil && own.Address.Equal(from)
}

// ServeSubmission takes mail from the user's mail client by SMTP, on connections of
// ln. They are not encrypted, so that it returns ErrNotLoopback at once if others can
// reach ln. It ends when ctx does, with nil.
func (g *Gateway) ServeSubmission(ctx context.Context, ln net.Listener) error {
	if err := checkLoopback(ln); err != nil {
		return err
	}
	s := &submission{local: g.local, mayWrite: g.mayWrite, accept: g.Send, log: g.o.Log}
	return s.serve(ctx, ln)
}

// ServeIMAP lets the user's mail client read and change the local mail, on
// connections of ln. They are not encrypted, so that it returns ErrNotLoopback at once
// if others can reach ln. It ends when ctx does, with nil.
func (g *Gateway) ServeIMAP(ctx context.Context, ln net.Listener) error {
	if err := checkLoopback(ln); err != nil {
		return err
	}
	// There is no gate: what the client stores is encrypted before it goes up.
	return imapd.New(imapd.Options{
		Service: g.local.Service, InsecureAuth: true, Index: g.searcher.index, Log: g.o.Log,
	}).Serve(ctx, ln)
}

// Run does what goes on by itself, until ctx ends; then it returns nil. It sends what
// is in the outbox, keeps the local store and the provider the same, and the search
// index up to date. An error is one of the vault or the local store.
func (g *Gateway) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.sender.run(ctx) })
	group.Go(func() error { return g.watcher.run(ctx) })
	group.Go(func() error { return g.keeper.run(ctx) })
	group.Go(func() error { return g.searcher.run(ctx) })
	return group.Wait()
}

// Retry tries at once what is waited for: the provider, and mail that was not sent yet.
func (g *Gateway) Retry() {
	g.sender.retry()
	g.watcher.retry()
}

// Status is how the gateway is doing.
type Status struct {
	Synced  time.Time  // when local store and provider were last the same; zero is never
	Trouble error      // what stands in the way since, for the user
	Outbox  []Outgoing // mail that the provider does not have yet, the oldest first
	Held    []addr.Address

	Backup      BackupState
	BackupFault error // why the last one was not written
}

// Status returns how the gateway is doing. Held are those whose key has changed and
// waits to be accepted.
func (g *Gateway) Status() (Status, error) {
	var s Status
	s.Synced, s.Trouble = g.watcher.state()
	var err error
	if s.Backup, s.BackupFault, err = g.keeper.state(); err != nil {
		return Status{}, err
	}
	if s.Outbox, err = g.box.list(); err != nil {
		return Status{}, err
	}
	err = g.contacts.Each(func(a addr.Address, p Peer) error {
		if p.Proposed != "" {
			s.Held = append(s.Held, a)
		}
		return nil
	})
	return s, err
}

// Close closes the local store's sessions. ServeSubmission and Run must have ended.
func (g *Gateway) Close() error { return g.local.Close() }

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/page"
	"github.com/restante/restante/gateway/vault"
)

// newcomer lets the page of a machine without a gateway take the code of another one. It
// is safe for concurrent use.
type newcomer struct {
	run   context.Context // of the command: an attempt outlives the request that began it
	env   env
	setup gatewaySetup
	vault *vault.Vault

	mu    sync.Mutex
	state page.Joining
	tasks sync.WaitGroup // the attempt that goes on
	done  chan struct{}  // closed when the vault has everything
}

var _ page.Newcomer = (*newcomer)(nil)

// joinSteps are what the page shows: one before those of gateway.JoinPair, and one behind.
var joinSteps = []string{
	"Find the servers of the account", "Log in", "Wait for your other machine", "Prove that you know its code",
	"Take keys, contacts and groups", "Start the gateway",
}

func (n *newcomer) Joining() page.Joining {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// Join begins an attempt on a goroutine.
func (n *newcomer) Join(_ context.Context, c page.Claim) error {
	if _, _, ok := gateway.ParsePairLink(c.Text); !ok && c.Address == "" {
		return errors.New("that is not the whole link, which begins with restante-pair: and has no space in it; a code of eight digits goes into the form for codes")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.Busy() {
		return errors.New("an attempt goes on already")
	}
	n.state = page.Joining{Steps: joinSteps}
	n.tasks.Go(func() { n.attempt(c) })
	return nil
}

func (n *newcomer) attempt(c page.Claim) {
	err := n.take(c)
	if errors.Is(err, gateway.ErrPassword) {
		err = explainLogin(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.state.Fault = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
		return
	}
	n.state.At = len(joinSteps) - 1
	close(n.done)
}

// take brings everything into the vault. What DNS alone says of servers is not confirmed
// here: the user names them in the form.
func (n *newcomer) take(c page.Claim) error {
	e, s := n.env, n.setup
	e.stdin, s.passwordStdin = strings.NewReader(c.Password+"\n"), true
	s.imap, s.smtp = orElse(c.IMAP, s.imap), orElse(c.SMTP, s.smtp)
	account, code, err := pairAccount(n.run, e, s, c.Address, c.Text)
	if err != nil {
		return err
	}
	return gateway.JoinPair(n.run, n.vault, gateway.Newcomer{Account: account, Code: code, Now: time.Now, Step: func(step gateway.PairStep) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.state.At = 1 + int(step)
	}})
}

// pairOnPage shows a page that takes the code of another machine, and is the gateway
// once it has.
func pairOnPage(ctx context.Context, e env, h *gatewayHome, s gatewaySetup) (err error) {
	dir, err := h.dir()
	if err != nil {
		return err
	}
	v, err := h.emptyVault(dir, s.listen)
	if err != nil {
		return err
	}
	browser, err := listenLoopback("127.0.0.1:0")
	if err != nil {
		return errors.Join(err, v.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	n := &newcomer{run: ctx, env: e, setup: s, vault: v, done: make(chan struct{})}
	w := page.NewWelcome(n)
	group.Go(func() error { return w.Serve(ctx, browser) })
	group.Go(func() error { return n.becomeGateway(ctx, h, dir, w, browser.Addr()) })
	say(e, "open this page in a browser of this machine, and leave the command running:")
	fmt.Fprintln(e.stdout, w.URL(browser.Addr()))
	return group.Wait()
}

// becomeGateway waits until the vault has everything, and runs the gateway on it until
// ctx ends. It closes the vault.
func (n *newcomer) becomeGateway(ctx context.Context, h *gatewayHome, dir string, w *page.Welcome, at net.Addr) (err error) {
	select {
	case <-n.done:
	case <-ctx.Done():
		n.tasks.Wait()
		return n.vault.Close()
	}
	n.tasks.Wait()
	o, err := h.openOn(ctx, dir, n.vault)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if err := welcome(n.env, o); err != nil {
		return err
	}
	d, err := openDoors(ctx, o)
	defer d.close()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	o.page = w.URL(at)
	o.serve(ctx, n.env, d, group)
	w.Lead(page.New(page.Options{Desk: newDesk(ctx, o), Welcome: w}))
	return group.Wait()
}

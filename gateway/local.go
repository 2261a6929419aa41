package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// clientLabel is what the mail client's password is called in the local store.
const clientLabel = "mail client"

// Local is the gateway's own mail store: the engine of the relay, with the one
// account of the user, under keys from the vault. The mail in it is decrypted and
// verified, and sealed at rest.
type Local struct {
	Service *mailbox.Service
	Session *mailbox.Session // of the gateway itself

	// User and Password are what the user's mail client logs in with. The password
	// was generated, and is good on loopback only.
	User, Password string
}

// LocalOptions is what a Local is made of. All but Log and Now is needed.
type LocalOptions struct {
	Vault   *vault.Vault
	Store   mailbox.Store // opened with StoreKey; it stays the caller's
	Address addr.Address
	TempDir string // for spool files, which are sealed; "" is the system's
	Log     *slog.Logger
	Now     func() time.Time
}

// OpenLocal opens the local store, and makes its account at the first time.
func OpenLocal(ctx context.Context, o LocalOptions) (*Local, error) {
	key, err := StoreKey(o.Vault, o.Store.ID())
	if err != nil {
		return nil, fmt.Errorf("open local store: %w", err)
	}
	service, err := mailbox.New(mailbox.Options{
		Store: o.Store, Key: key, Domain: o.Address.Domain(), TempDir: o.TempDir, Log: o.Log, Now: o.Now,
		// The password has 130 random bits: stretching it would add nothing.
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	})
	if err != nil {
		return nil, fmt.Errorf("open local store: %w", err)
	}
	l := &Local{Service: service, User: o.Address.String()}
	if err := l.login(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open local store: %w", err), l.Close())
	}
	return l, nil
}

// login opens the gateway's session. What it makes is in the vault first, so that a
// crash leaves nothing that can't be opened.
func (l *Local) login(ctx context.Context, o LocalOptions) error {
	own, err := loadLocal(o.Vault)
	if err != nil {
		return err
	}
	if own.Secret == "" {
		own.Secret = rand.Text()
		if err := putSettings(o.Vault, localName, own); err != nil {
			return err
		}
	}
	_, err = l.Service.FindAccount(ctx, l.User)
	if errors.Is(err, mailbox.ErrNoAccount) {
		_, err = l.Service.CreateAccount(ctx, o.Address, mailbox.NewAccountOptions{Password: own.Secret})
	}
	if err != nil {
		return err
	}
	if l.Session, err = l.Service.Login(ctx, mailbox.Login{User: l.User, Secret: own.Secret}); err != nil {
		return err
	}
	if err := l.makeRequests(ctx); err != nil {
		return err
	}
	if own.Client == "" {
		if own.Client, err = l.Session.AddDevice(ctx, clientLabel); err != nil {
			return err
		}
		err = putSettings(o.Vault, localName, own)
	}
	l.Password = own.Client
	return err
}

// makeRequests makes the mailbox for mail of strangers, so that clients find it.
func (l *Local) makeRequests(ctx context.Context) error {
	_, err := l.Session.Folder(ctx, requestsName)
	if !errors.Is(err, mailbox.ErrNoMailbox) {
		return err
	}
	if _, err := l.Session.Create(ctx, requestsName, mailbox.NoUse); err != nil {
		return err
	}
	return l.Session.Subscribe(ctx, requestsName, true)
}

// Deliver puts a mail of the gateway's own into the user's INBOX. It is durable when
// Deliver returns nil.
func (l *Local) Deliver(ctx context.Context, mail io.Reader) error {
	m, err := l.Service.Receive(ctx, mail, mailbox.ReceiveOptions{})
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	_, err = l.Session.Append(ctx, mailbox.Inbox, mailbox.Append{Message: m})
	return errors.Join(err, m.Close())
}

// Close ends the sessions and forgets the keys. The store stays open.
func (l *Local) Close() error {
	if l.Session != nil {
		l.Session.Close()
	}
	return l.Service.Close()
}

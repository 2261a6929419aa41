package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
)

// domain is the store and the service above it: what the relay serves and what
// the account commands work on when no relay runs.
type domain struct {
	store   *sqlstore.Store
	key     *seal.RelayKey // of the store
	service *mailbox.Service
}

// openDomain opens the store of the configuration, and makes it with its relay
// key at the first start. Only one process can have one on SQLite open: the error
// is then sqlstore.ErrLocked.
//
// signUp decides whether a first login makes an account; nil refuses all.
func openDomain(ctx context.Context, cfg *config.Config, log *slog.Logger, getenv func(string) string, signUp func(mailbox.FirstLogin) error) (d domain, err error) {
	_, err = d.openStore(ctx, cfg, log, getenv)
	if err == nil {
		err = d.openService(cfg, log, func(o *mailbox.Options) { o.SignUp = signUp })
	}
	if err != nil {
		d.close()
		return domain{}, err
	}
	return d, nil
}

// openService makes the service above the store; change sets what the configuration
// doesn't.
func (d *domain) openService(cfg *config.Config, log *slog.Logger, change func(*mailbox.Options)) (err error) {
	o := mailbox.Options{
		Store: d.store, Key: d.key, Domain: cfg.Domain, Log: log,
		DefaultQuota: mailbox.Quota{Bytes: int64(cfg.Quota.Bytes), Messages: int64(cfg.Quota.Messages)},
		Terms:        termsOf(&cfg.Expiry),
		TempDir:      cfg.DataDir,
		Space:        d.store.Space,
		Limits:       mailbox.Limits{Queue: cfg.Queue.Messages, Linger: time.Duration(cfg.Limits.KeyLinger)},
	}
	if cfg.Policy.Operator != "" {
		if o.Operator, err = addr.Parse(cfg.Policy.Operator); err != nil {
			return fmt.Errorf("policy.operator: %w", err)
		}
	}
	change(&o)
	d.service, err = mailbox.New(o)
	return err
}

// openStore opens the store for who serves it, and for places what it may be else.
func (d *domain) openStore(ctx context.Context, cfg *config.Config, log *slog.Logger, getenv func(string) string, places ...sqlstore.Place) (relaySecret, error) {
	o, err := storeOptions(cfg, log)
	if err != nil {
		return relaySecret{}, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return relaySecret{}, fmt.Errorf("data folder: %w", err)
	}
	secret, err := relaySecretFor(ctx, cfg, o, getenv)
	if err != nil {
		return relaySecret{}, err
	}
	o.KeyCheck, o.Places = keyCheckOf(secret), places
	if d.store, err = sqlstore.Open(ctx, o); err != nil {
		return secret, err
	}
	d.key = seal.NewRelayKey(secret, d.store.ID())
	return secret, nil
}

func keyCheckOf(secret relaySecret) func(seal.StoreID) seal.KeyCheck {
	return func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(secret, id).Check() }
}

// termsOf returns the terms that the relay keeps.
func termsOf(e *config.Expiry) mailbox.Terms {
	t := mailbox.DefaultTerms() // for what can't be set
	t.Inbox, t.Sent, t.Trash, t.Junk = e.InboxDays, e.SentDays, e.TrashDays, e.JunkDays
	t.Large, t.LargeSize, t.Idle, t.Kept = e.LargeDays, int64(e.LargeSize), e.IdleDays, e.BackupIdleDays
	return t
}

// storeOptions says where the store of the configuration is.
func storeOptions(cfg *config.Config, log *slog.Logger) (sqlstore.Options, error) {
	kind, target, err := cfg.StoreTarget()
	o := sqlstore.Options{PasswordFile: cfg.StorePasswordFile, RequireSync: cfg.RequireSync,
		HintBus: cfg.HintBus, HintBusCredentials: cfg.HintBusCredentials, Program: "restante " + version(), Log: log}
	if kind == config.Postgres {
		o.URL, o.Objects = target, objectOptions(&cfg.S3)
	} else {
		o.Path, o.Reserve = target, int64(cfg.Limits.DiskReserve)
	}
	return o, err
}

// relaySecretFor reads the relay key, or makes it with the store.
func relaySecretFor(ctx context.Context, cfg *config.Config, o sqlstore.Options, getenv func(string) string) (relaySecret, error) {
	file, err := cfg.RelayKeyPath(getenv)
	if err != nil {
		return relaySecret{}, err
	}
	exists, err := sqlstore.Exists(ctx, o)
	if err != nil {
		return relaySecret{}, fmt.Errorf("store: %w", err)
	}
	secret, made, err := loadRelaySecret(file, exists)
	if made {
		o.Log.Warn("made the relay key: keep a copy of it apart from the store, without it the store is lost", "file", file)
	}
	return secret, err
}

func (d domain) close() error {
	var errs []error
	if d.service != nil {
		errs = append(errs, d.service.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// openAccounts opens the accounts for one command: through the relay's admin
// socket if it runs, else on the store itself.
func openAccounts(ctx context.Context, configFile string, e env) (accounts, func(), error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, nil, err
	}
	d, err := openDomain(ctx, cfg, newLog(e.stderr, config.Log{Level: "error"}), e.getenv, nil)
	if errors.Is(err, sqlstore.ErrLocked) {
		return remote{cfg.AdminSocket}, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	closeAll := func() {
		if err := d.close(); err != nil {
			fmt.Fprintf(e.stderr, "restante: close the store: %v\n", err)
		}
	}
	return direct{d.service, cfg.Domain}, closeAll, nil
}

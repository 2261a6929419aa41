package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// Default returns the configuration of an empty file. It lacks the domain.
func Default() *Config {
	return &Config{
		DataDir: "/var/lib/restante",
		Listen: Listen{
			SMTPS:      listenOn(":465"),
			Submission: listenOn(":587"),
			MX:         listenOn(":25"),
			IMAPS:      listenOn(":993"),
			IMAP:       listenOn(":143"),
			HTTPS:      listenOn(":443"),
			HTTP:       listenOn(""),
			Metrics:    listenOn(""),
			ACME:       listenOn(":80"),
		},
		Limits: Limits{
			MessageSize:           30 << 20,
			Recipients:            100,
			SMTPLineLength:        4 << 10,
			IMAPCommandSize:       1 << 20,
			CommandRate:           100,
			Connections:           20000,
			ConnectionsPerNetwork: 200,
			MailsPerNetwork:       3000,
			MailsPerDomain:        6000,
			ConnectionsPerAccount: 50,
			AuthAttempts:          5,
			HandshakeTimeout:      Duration(10 * time.Second),
			SMTPIdleTimeout:       Duration(5 * time.Minute),
			IMAPIdleTimeout:       Duration(35 * time.Minute),
			KeyLinger:             Duration(30 * time.Second),
			ProgressTimeout:       Duration(time.Minute),
			StopTimeout:           Duration(10 * time.Second),
			DiskReserve:           64 << 20,
		},
		Policy:  Policy{Encryption: "required", InboundAuth: "dkim", Append: "encrypted", MTASTS: "enforce"},
		Signup:  Signup{Policy: "closed"},
		Quota:   Quota{Bytes: 100 << 20, Messages: 50000},
		Expiry:  Expiry{InboxDays: 20, SentDays: 20, TrashDays: 20, JunkDays: 20, LargeDays: 7, LargeSize: 200 << 10, IdleDays: 90, BackupIdleDays: 400},
		DNS:     DNS{Servers: []string{}},
		Queue:   defaultQueue(),
		S3:      S3{Region: "us-east-1"},
		Confine: Confine{Enabled: true, Folders: []string{"/var/backups/restante"}},
		Log:     Log{Level: "info", Format: "text"},
	}
}

func listenOn(address string) Listener {
	return Listener{Address: address, Network: "ip", TrustedProxies: []netip.Prefix{}}
}

// Resolve fills in the settings that are empty and whose default follows from
// others. Parse and Load have done it.
func (c *Config) Resolve() {
	orDefault(&c.Hostname, c.Domain)
	if strings.HasSuffix(c.Domain, ".onion") {
		orDefault(&c.Onion, c.Domain)
	}
	orDefault(&c.Store, "sqlite:"+filepath.Join(c.DataDir, "restante.db"))
	orDefault(&c.RelayKeyFile, filepath.Join(c.DataDir, "relay.key"))
	orDefault(&c.AdminSocket, filepath.Join(c.DataDir, "admin.sock"))
	c.resolveQueue()
}

func orDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// credentialPrefix marks a relay key that systemd hands over.
const credentialPrefix = "credential:"

// RelayKeyPath returns the file that holds the relay key. getenv is os.Getenv;
// systemd says by it where credentials are.
func (c *Config) RelayKeyPath(getenv func(string) string) (string, error) {
	name, ok := strings.CutPrefix(c.RelayKeyFile, credentialPrefix)
	if !ok {
		return c.RelayKeyFile, nil
	}
	dir := getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("relay_key_file is a credential of systemd, which has handed over none: add LoadCredential=%s:/path to the service", name)
	}
	return filepath.Join(dir, name), nil
}

// StoreKind tells the kinds of stores apart.
type StoreKind string

// The kinds of stores.
const (
	SQLite   StoreKind = "sqlite"
	Postgres StoreKind = "postgres"
)

// errStore is what store can be, for faults.
var errStore = errors.New(`write "sqlite:/path/mail.db" or "postgres://user@host/database"`)

// StoreTarget splits the store setting into its kind and, for SQLite, the path
// of the file or, for PostgreSQL, the URL.
func (c *Config) StoreTarget() (StoreKind, string, error) {
	if path, ok := strings.CutPrefix(c.Store, "sqlite:"); ok && path != "" {
		return SQLite, path, nil
	}
	if strings.HasPrefix(c.Store, "postgres://") || strings.HasPrefix(c.Store, "postgresql://") {
		return Postgres, c.Store, nil
	}
	return "", "", errStore
}

package gateway

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox/seal"
)

const (
	settingsKind = "settings"
	accountName  = "account"
	localName    = "local"
	listenName   = "listen"
)

// Account is the user's account at a mail provider, as the vault keeps it.
type Account struct {
	Address  string `json:"address"`
	Name     string `json:"name,omitempty"` // the user's, for the From of mail that has none
	User     string `json:"user,omitempty"` // to log in with, if not the address
	Password string `json:"password"`
	Coming   string `json:"coming,omitempty"` // a password that the relay was asked to put in the place of that one
	SMTPS    string `json:"smtps"`
	IMAPS    string `json:"imaps"`

	// Some providers have TLS only after STARTTLS (RFC 3207; RFC 9051, 6.2.1).
	SMTPStartTLS bool `json:"smtpStartTLS,omitempty"`
	IMAPStartTLS bool `json:"imapStartTLS,omitempty"`

	CA []byte `json:"ca,omitempty"` // PEM, for a provider with an authority of its own

	// Proxy is what ProxyDialer takes: with one, the gateway connects to nothing else
	// and asks no DNS.
	Proxy string `json:"proxy,omitempty"`
}

// SaveAccount keeps the account in the vault, in place of another.
func SaveAccount(v *vault.Vault, a Account) error { return putSettings(v, accountName, a) }

// LoadAccount returns the account. The error is ErrNoIdentity if there is none yet.
func LoadAccount(v *vault.Vault) (Account, error) {
	var a Account
	err := getSettings(v, accountName, &a)
	if errors.Is(err, vault.ErrNoRecord) {
		err = ErrNoIdentity
	}
	return a, err
}

// Listen says where the mail client finds the gateway, as host:port on loopback.
type Listen struct {
	IMAP string `json:"imap"`
	SMTP string `json:"smtp"`
}

// DefaultListen is where gateways listen if their users say nothing else. Clients are
// set up once, so the ports are fixed.
func DefaultListen() Listen { return Listen{IMAP: "127.0.0.1:1143", SMTP: "127.0.0.1:1025"} }

// SaveListen keeps where the gateway listens.
func SaveListen(v *vault.Vault, l Listen) error { return putSettings(v, listenName, l) }

// LoadListen returns where the gateway listens.
func LoadListen(v *vault.Vault) (Listen, error) {
	var l Listen
	err := getSettings(v, listenName, &l)
	if errors.Is(err, vault.ErrNoRecord) {
		return DefaultListen(), nil
	}
	return l, err
}

// local is what opens the gateway's own mail store, and what the user's mail client
// logs in to it with.
type local struct {
	StoreKey []byte `json:"storeKey"`
	Secret   string `json:"secret"`           // of the one account in the store; "" until that is made
	Client   string `json:"client,omitempty"` // the device password of the mail client
}

// loadLocal returns the settings of the local store, and makes them at first.
func loadLocal(v *vault.Vault) (local, error) {
	var l local
	err := getSettings(v, localName, &l)
	if errors.Is(err, vault.ErrNoRecord) {
		l.StoreKey = make([]byte, seal.RelaySecretSize)
		rand.Read(l.StoreKey)
		err = putSettings(v, localName, l)
	}
	if err == nil && len(l.StoreKey) != seal.RelaySecretSize {
		err = fmt.Errorf("%w: the local store's key has another size", vault.ErrDamaged)
	}
	return l, err
}

// StoreKey returns the key of the gateway's own mail store, which the vault makes
// when it is first asked for.
func StoreKey(v *vault.Vault, id seal.StoreID) (*seal.RelayKey, error) {
	l, err := loadLocal(v)
	if err != nil {
		return nil, err
	}
	return seal.NewRelayKey([seal.RelaySecretSize]byte(l.StoreKey), id), nil
}

// Discovery is how keys are looked for that nobody has sent. The zero value asks
// everybody who may know.
type Discovery struct {
	NoWKD bool `json:"noWKD,omitempty"` // ask no domain
}

const discoveryName = "discovery"

// SaveDiscovery keeps the settings in the vault. A gateway that is open goes by them
// when it is opened anew.
func SaveDiscovery(v *vault.Vault, d Discovery) error { return putSettings(v, discoveryName, d) }

// LoadDiscovery returns what SaveDiscovery kept, or the zero value.
func LoadDiscovery(v *vault.Vault) (Discovery, error) {
	var d Discovery
	err := getSettings(v, discoveryName, &d)
	if errors.Is(err, vault.ErrNoRecord) {
		err = nil
	}
	return d, err
}

func putSettings(v *vault.Vault, name string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := v.Put(settingsKind, name, content); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

func getSettings(v *vault.Vault, name string, value any) error {
	content, err := v.Get(settingsKind, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, value); err != nil {
		return fmt.Errorf("%w: the settings %q can't be read: %w", vault.ErrDamaged, name, err)
	}
	return nil
}

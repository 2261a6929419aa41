package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox"
)

// Phones says where the user's other devices reach the gateway. The zero value is
// nowhere: so it is until the user wants it.
type Phones struct {
	// Host is the name or the IP address under which they know the gateway. It stands
	// in its certificate.
	Host string `json:"host,omitempty"`

	IMAP  string `json:"imap,omitempty"` // host:port of each listener
	SMTP  string `json:"smtp,omitempty"`
	Setup string `json:"setup,omitempty"` // hands out settings, once for each device
}

// Off reports whether other devices reach nothing.
func (p Phones) Off() bool { return p.Host == "" }

const phonesName = "phones"

// SavePhones keeps where other devices reach the gateway. One that runs goes by it when
// it is started anew. With another host, the authority that certified the former one is
// forgotten, and devices have to be set up anew.
func SavePhones(v *vault.Vault, p Phones) error {
	old, err := LoadPhones(v)
	if err != nil {
		return err
	}
	if old.Host != p.Host {
		if err := v.DeleteAll(certKind); err != nil {
			return err
		}
	}
	return putSettings(v, phonesName, p)
}

// LoadPhones returns what SavePhones kept.
func LoadPhones(v *vault.Vault) (Phones, error) {
	var p Phones
	err := getSettings(v, phonesName, &p)
	if errors.Is(err, vault.ErrNoRecord) {
		err = nil
	}
	return p, err
}

// certKind is the vault's kind for the files of the gateway's own authority.
const certKind = "certificate"

// CertFiles keeps the gateway's certificates and their keys in the vault.
type CertFiles struct{ Vault *vault.Vault }

// Read returns a file. The error is fs.ErrNotExist if there is none.
func (c CertFiles) Read(name string) ([]byte, error) {
	b, err := c.Vault.Get(certKind, name)
	if errors.Is(err, vault.ErrNoRecord) {
		err = fs.ErrNotExist
	}
	return b, err
}

// Write keeps a file, durably.
func (c CertFiles) Write(name string, data []byte) error { return c.Vault.Put(certKind, name, data) }

// Device is one of the user's other devices, with a password of its own.
type Device struct {
	Name  string
	Added time.Time // the day
}

// The outcomes of adding and revoking devices that callers tell apart.
var (
	ErrNoDevice   = errors.New("there is no device of that name: `restante gateway device list` shows them")
	ErrDevice     = errors.New("there is a device of that name already: revoke it, or take another name")
	ErrDeviceName = errors.New("a device needs a name of at most 64 letters, and another than \"" + clientLabel + "\"")
)

// AddDevice makes a password for another device and returns it; it can't be had again,
// for the local store has only what recognises it. Errors: ErrDevice, ErrDeviceName,
// mailbox.ErrLimit when there are 49.
func (g *Gateway) AddDevice(ctx context.Context, name string) (password string, err error) {
	list, err := g.devices(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range list {
		if d.Label == name && name != clientLabel {
			return "", ErrDevice
		}
	}
	if name == "" || name == clientLabel {
		return "", ErrDeviceName
	}
	password, err = g.local.Session.AddDevice(ctx, name)
	if errors.Is(err, mailbox.ErrName) {
		err = ErrDeviceName
	}
	return password, err
}

// Devices lists the other devices, the oldest first.
func (g *Gateway) Devices(ctx context.Context) ([]Device, error) {
	rows, err := g.devices(ctx)
	var list []Device
	for _, d := range rows {
		if d.Label != clientLabel {
			list = append(list, Device{Name: d.Label, Added: time.Unix(int64(d.Created)*86400, 0).UTC()})
		}
	}
	return list, err
}

// RevokeDevice makes the password of a device useless and ends its connections. The
// error is ErrNoDevice if there is none of the name.
func (g *Gateway) RevokeDevice(ctx context.Context, name string) error {
	rows, err := g.devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range rows {
		if d.Label == name && name != clientLabel {
			return g.local.Session.RevokeDevice(ctx, d.ID)
		}
	}
	return ErrNoDevice
}

func (g *Gateway) devices(ctx context.Context) ([]mailbox.Device, error) {
	rows, err := g.local.Session.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	return rows, nil
}

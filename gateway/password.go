package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox/seal"
)

// Entries of METADATA (RFC 5464) at a Restante relay. Only who logs in with the
// account's own password can set the first or see the second.
const (
	// passwordEntry takes a new secret in the place of the password. It is there for
	// device passwords too, and nowhere but at such a relay.
	passwordEntry = "/private/vendor/restante/password"
	// devicesEntry has the device passwords, one a line; "-NUMBER" revokes one.
	devicesEntry = "/private/vendor/restante/devices"
)

// Why the gateway can't change passwords at the provider.
var (
	// ErrForeign: only our relays let programs do it.
	ErrForeign = errors.New("the provider is no Restante relay: passwords are changed in its own settings")
	// ErrDevicePassword: it takes the account's own password.
	ErrDevicePassword = errors.New("this gateway logs in with a device password, which can change or revoke no other: " +
		"do that on your relay's account page, with the account's own password")
)

// devicePassword is one that the relay has for a device of the user's.
type devicePassword struct{ number, label string }

// devicePasswords lists them. Errors: ErrForeign, ErrDevicePassword.
func (r *remote) devicePasswords() ([]devicePassword, error) {
	caps := r.client.Caps()
	if !caps.Has(imap.CapMetadata) && !caps.Has(imap.CapMetadataServer) {
		return nil, ErrForeign
	}
	data, err := r.client.GetMetadata("", []string{passwordEntry, devicesEntry}, nil).Wait()
	switch {
	case isRefusal(err), err == nil && data.Entries[passwordEntry] == nil:
		return nil, ErrForeign
	case err != nil:
		return nil, fmt.Errorf("list device passwords: %w", err)
	case data.Entries[devicesEntry] == nil:
		return nil, ErrDevicePassword
	}
	var list []devicePassword
	for line := range strings.Lines(string(*data.Entries[devicesEntry])) {
		if number, label, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " "); number != "" {
			list = append(list, devicePassword{number, label})
		}
	}
	return list, nil
}

// set sets an entry of the server.
func (r *remote) set(entry, value string) error {
	b := []byte(value)
	return r.client.SetMetadata("", map[string]*[]byte{entry: &b}).Wait()
}

// password is what logs in now: it may change while the gateway runs.
func (u Upstream) password() string {
	if u.live != nil {
		return *u.live.Load()
	}
	return u.Password
}

// MayRenewPassword reports whether RenewPassword can do anything. Errors: nil if so;
// ErrForeign, ErrDevicePassword, ErrPassword.
func (g *Gateway) MayRenewPassword(ctx context.Context) error {
	return g.upstream.onServer(ctx, func(r *remote) error {
		_, err := r.devicePasswords()
		return err
	})
}

// RenewPassword has the relay put a new password, which is made here, in the place of the
// account's, and goes on with it; what the old one opened, it opens no more. The new one
// is in the vault before the relay has it, so that neither a lost answer nor a crash locks
// the user out. Errors: ErrForeign, ErrDevicePassword, ErrPassword; nothing has changed then.
func (g *Gateway) RenewPassword(ctx context.Context) error {
	g.renewing.Lock()
	defer g.renewing.Unlock()
	_ = g.settlePassword(ctx) // one that was interrupted; the login will tell whether it could not be
	made := seal.NewSecret()
	defer made.Wipe()
	secret := made.Reveal()
	err := g.upstream.onServer(ctx, func(r *remote) error {
		if _, err := r.devicePasswords(); err != nil {
			return err
		}
		account, err := LoadAccount(g.o.Vault)
		if err != nil {
			return err
		}
		account.Coming = secret
		if err := SaveAccount(g.o.Vault, account); err != nil {
			return err
		}
		return r.set(passwordEntry, secret)
	})
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrDevicePassword) || errors.Is(err, ErrPassword) {
		return err
	}
	// The relay ends the connection, so that what it said may be lost: the login tells.
	settled := g.settlePassword(ctx)
	if g.upstream.password() == secret {
		g.Retry()
		return nil
	}
	return errors.Join(err, settled)
}

// settlePassword finds out what became of a change of the password: the new one is in
// use if it logs in, and forgotten if the provider refuses it. The caller holds renewing.
func (g *Gateway) settlePassword(ctx context.Context) error {
	account, err := LoadAccount(g.o.Vault)
	if err != nil || account.Coming == "" {
		return err
	}
	err = g.check(ctx, account.Coming)
	switch {
	case err == nil:
		account.Password = account.Coming
	case !errors.Is(err, ErrPassword):
		return err // nobody knows: it is tried again
	}
	account.Coming = ""
	return errors.Join(err, g.keepPassword(account))
}

// UsePassword goes on with a password that was set at the provider, once it is seen to
// work. The error is ErrPassword if the provider refuses it; nothing has changed then.
func (g *Gateway) UsePassword(ctx context.Context, password string) error {
	g.renewing.Lock()
	defer g.renewing.Unlock()
	if err := g.check(ctx, password); err != nil {
		return err
	}
	account, err := LoadAccount(g.o.Vault)
	if err != nil {
		return err
	}
	account.Password, account.Coming = password, ""
	if err := g.keepPassword(account); err != nil {
		return err
	}
	g.Retry()
	return nil
}

// check logs in with a password.
func (g *Gateway) check(ctx context.Context, password string) error {
	u := g.upstream
	u.live, u.Password = nil, password
	return u.Check(ctx)
}

func (g *Gateway) keepPassword(account Account) error {
	if err := SaveAccount(g.o.Vault, account); err != nil {
		return err
	}
	g.upstream.live.Store(&account.Password)
	return nil
}

// connect is Upstream.connect. A change of the password that was interrupted is finished
// as soon as the old one is refused.
func (g *Gateway) connect(ctx context.Context) (*remote, error) {
	tried := g.upstream.password()
	r, err := g.upstream.connect(ctx)
	if err == nil || !errors.Is(refused(err), ErrPassword) {
		return r, err
	}
	g.renewing.Lock()
	_ = g.settlePassword(ctx) // what counts is whether there is another password now
	g.renewing.Unlock()
	if g.upstream.password() == tried {
		return nil, err
	}
	return g.upstream.connect(ctx)
}

package mailbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/restante/restante/mailbox/seal"
)

// MaxDevices is how many device passwords an account has at most.
const MaxDevices = 50

// maxLabel is the size of a device's label, in octets of UTF-8.
const maxLabel = 64

// Device is a device password as its owner knows it. The password itself was
// shown once, when it was made.
type Device struct {
	ID      CredentialID
	Label   string // what the owner called it; it is sealed to the owner
	Keeps   bool   // may not expunge: what it deletes is gone for itself alone
	Created Day
}

// isDevice reports whether the credential is a device password.
func (c Credential) isDevice() bool { return c.Kind == DeviceSecret || c.Kind == KeepingSecret }

// Manages reports whether the session was opened with the account's own secret or
// password. Only such a session may manage the account: one that was opened with a
// device password reads and writes mail, and that is all.
func (x *Session) Manages() bool {
	return x.login.kind == MainSecret || x.login.kind == ChosenPassword
}

// Devices lists the account's device passwords, oldest first. The error is ErrAuth
// if the session may not manage the account.
func (x *Session) Devices(ctx context.Context) ([]Device, error) {
	m, err := x.manage(ctx)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var list []Device
	for _, c := range m.rows {
		if c.isDevice() {
			list = append(list, Device{ID: c.ID, Label: m.own.openLabel(c), Keeps: c.Kind == KeepingSecret, Created: c.Created})
		}
	}
	return list, nil
}

// AddDevice makes a device password and returns it; it can't be had again.
// Errors: ErrAuth if the session may not manage the account, ErrName for a label
// that is too long or has control characters, ErrLimit when there are MaxDevices
// already (devices added at the same moment may go a little beyond), and ErrGone if
// the account's password was changed at the same moment.
func (x *Session) AddDevice(ctx context.Context, label string) (secret string, err error) {
	return x.addDevice(ctx, label, DeviceSecret)
}

// AddKeepingDevice is AddDevice for a device that may not expunge: what it deletes is
// hidden from its own sessions alone.
func (x *Session) AddKeepingDevice(ctx context.Context, label string) (secret string, err error) {
	return x.addDevice(ctx, label, KeepingSecret)
}

func (x *Session) addDevice(ctx context.Context, label string, kind CredentialKind) (secret string, err error) {
	m, err := x.manage(ctx)
	if err != nil {
		return "", fmt.Errorf("add device: %w", err)
	}
	if label, err = cleanLabel(label); err != nil {
		return "", fmt.Errorf("add device: %w", err)
	}
	if m.count(DeviceSecret)+m.count(KeepingSecret) >= MaxDevices {
		return "", fmt.Errorf("add device: %w", ErrLimit)
	}
	c, secret, err := m.newSecret(ctx, kind)
	if err != nil {
		return "", fmt.Errorf("add device: %w", err)
	}
	c.Label = m.own.keys.SealNote(deviceLabel(c.ID), []byte(label))
	if err := m.addSecret(ctx, c, secret); err != nil {
		return "", fmt.Errorf("add device: %w", err)
	}
	return secret, nil
}

// RevokeDevice removes a device password and ends the sessions that it opened.
// Errors: ErrAuth if the session may not manage the account, ErrGone if there is no
// such device password any more.
func (x *Session) RevokeDevice(ctx context.Context, id CredentialID) error {
	m, err := x.manage(ctx)
	if err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	isDevice := func(c Credential) bool { return c.ID == id && c.isDevice() }
	if !slices.ContainsFunc(m.rows, isDevice) {
		return fmt.Errorf("revoke device: %w", ErrGone)
	}
	if err := m.replace(ctx, append(companions(m.rows, id), id)); err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	return nil
}

// NewRecoveryCode replaces the recovery code and returns the new one; it can't be
// had again. Errors: ErrAuth if the session may not manage the account, and ErrGone
// if the code or the password was changed at the same moment.
func (x *Session) NewRecoveryCode(ctx context.Context) (code string, err error) {
	m, err := x.manage(ctx)
	if err != nil {
		return "", fmt.Errorf("new recovery code: %w", err)
	}
	var old []CredentialID
	for _, c := range m.rows {
		if c.Kind == RecoveryCode {
			old = append(old, c.ID)
		}
	}
	c, code, err := m.newSecret(ctx, RecoveryCode)
	if err != nil {
		return "", fmt.Errorf("new recovery code: %w", err)
	}
	if err := m.replace(ctx, old, c); err != nil {
		return "", fmt.Errorf("new recovery code: %w", err)
	}
	return code, nil
}

// management is one change of an account's credentials: those there are, and the
// one that gives the right to change them.
type management struct {
	own  *owner
	rows []Credential
	main Credential
}

func (x *Session) manage(ctx context.Context) (*management, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	if !x.Manages() {
		return nil, ErrAuth
	}
	rows, err := own.svc.store.Credentials(ctx, own.id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(c Credential) bool { return c.ID == x.login.credential })
	if i < 0 {
		return nil, ErrGone
	}
	return &management{own: own, rows: rows, main: rows[i]}, nil
}

func (m *management) count(kind CredentialKind) int {
	n := 0
	for _, c := range m.rows {
		if c.Kind == kind {
			n++
		}
	}
	return n
}

// newSecret makes a generated credential whose selector no other one has.
func (m *management) newSecret(ctx context.Context, kind CredentialKind) (Credential, string, error) {
	root, err := m.own.copyRoot()
	if err != nil {
		return Credential{}, "", err
	}
	defer root.Wipe()
	for {
		c, secret, err := m.own.svc.newCredential(ctx, kind, m.own.sealer, &root, "")
		taken := func(o Credential) bool { return o.Selector == c.Selector }
		if err != nil || !slices.ContainsFunc(m.rows, taken) {
			return c, secret, err
		}
	}
}

// addSecret adds a generated credential that logs in, with its companion.
func (m *management) addSecret(ctx context.Context, c Credential, secret string) error {
	root, err := m.own.copyRoot()
	if err != nil {
		return err
	}
	defer root.Wipe()
	add, err := m.own.svc.withSCRAM([]Credential{c}, secret, m.own.sealer, &root, scramSalt(m.rows))
	if err != nil {
		return err
	}
	return m.replace(ctx, nil, add...)
}

// replace changes credentials. The one that gives the right to do so is taken away
// and put back in the same transaction: if it is no longer there, because of a new
// password or new keys, nothing is changed and the error is ErrGone.
func (m *management) replace(ctx context.Context, drop []CredentialID, add ...Credential) error {
	main := m.main
	main.Generation = m.own.sealer.Generation
	drop, add = append(drop, main.ID), append(add, main)
	if err := m.own.svc.store.ReplaceCredentials(ctx, m.own.id, drop, add, nil); err != nil {
		return err
	}
	return m.own.svc.recheck(ctx, m.own.id)
}

// copyRoot returns the root secret, for the caller to wipe. It fails once the root
// is forgotten.
func (own *owner) copyRoot() (seal.Root, error) {
	own.rootMu.Lock()
	defer own.rootMu.Unlock()
	if own.wiped {
		return seal.Root{}, ErrClosed
	}
	return own.root, nil
}

// openLabel returns the label of a device password. One that does not open is no
// reason to keep its owner from revoking the device.
func (own *owner) openLabel(c Credential) string {
	label, err := own.keys.OpenNote(deviceLabel(c.ID), c.Label)
	if err != nil {
		own.svc.log.Error("label of a device does not open", "account", own.id, "error", err)
		return ""
	}
	return string(label)
}

func deviceLabel(id CredentialID) string { return "device " + strconv.FormatInt(int64(id), 10) }

// cleanLabel brings a label to the form in which it is kept: NFC, without spaces
// around it.
func cleanLabel(label string) (string, error) {
	if len(label) > 4*maxLabel || !utf8.ValidString(label) {
		return "", ErrName
	}
	label = strings.TrimSpace(norm.NFC.String(label))
	if len(label) > maxLabel || strings.ContainsFunc(label, notInNames) {
		return "", ErrName
	}
	return label, nil
}

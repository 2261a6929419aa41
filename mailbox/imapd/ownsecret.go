package imapd

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// Only a session that manages the account sets these entries or sees the second: a device
// password changes no other.
const (
	// entrySecret takes a new secret in the place of the account's password, of the
	// form that the relay generates: see mailbox.Session.SetSecret. It reads as "own" if
	// the session was opened with that password, and "device" otherwise.
	entrySecret = "/private/vendor/restante/password"

	// entryDevices reads as a list of the device passwords, one a line: a number and,
	// behind a space, the label. To set it to "-NUMBER" revokes one.
	entryDevices = "/private/vendor/restante/devices"
)

// maxDeviceValue is the longest value that entryDevices takes: a sign and 63 bits.
const maxDeviceValue = 20

var (
	errSecretMain  = no(imap.ResponseCodeNoPerm, "This takes the account's own password: a device password can't change or revoke any")
	errSecretForm  = no(imap.ResponseCodeCannot, "Write a secret of the form that the relay generates: r1-, and 36 letters and digits with a checksum")
	errSecretTaken = no(imap.ResponseCodeAlreadyExists, "The account has a password that begins in the same way: make another one")
	errSecretAlone = no(imap.ResponseCodeCannot, "Set the entries of passwords in a command of their own")
	errDeviceValue = no(imap.ResponseCodeCannot, "Write -NUMBER to revoke a device password: the number stands in the list that the entry reads as")
	errDeviceGone  = no(imap.ResponseCodeNonExistent, "The account has no such device password")
)

// secretKind tells what the session was opened with.
func (c *conn) secretKind() ([]byte, error) {
	if c.session.Manages() {
		return []byte("own"), nil
	}
	return []byte("device"), nil
}

// setSecret gives the account the secret. Its sessions end then.
func (c *conn) setSecret(value []byte) error {
	if !c.session.Manages() {
		return errSecretMain
	}
	err := c.session.SetSecret(c.ctx, string(value))
	switch {
	case errors.Is(err, mailbox.ErrName):
		return errSecretForm
	case errors.Is(err, mailbox.ErrExists):
		return errSecretTaken
	}
	return err
}

// devices returns the device passwords, or nil if the session may not manage them.
func (c *conn) devices() ([]byte, error) {
	if !c.session.Manages() {
		return nil, nil
	}
	list, err := c.session.Devices(c.ctx)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(list))
	for i, d := range list {
		lines[i] = fmt.Sprintf("%d %s", d.ID, d.Label)
	}
	return []byte(strings.Join(lines, "\r\n")), nil
}

// setDevices does what the value says.
func (c *conn) setDevices(value []byte) error {
	if !c.session.Manages() {
		return errSecretMain
	}
	number, ok := bytes.CutPrefix(value, []byte("-"))
	if !ok || len(value) > maxDeviceValue {
		return errDeviceValue
	}
	id, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return errDeviceValue
	}
	err = c.session.RevokeDevice(c.ctx, mailbox.CredentialID(id))
	if errors.Is(err, mailbox.ErrGone) {
		return errDeviceGone
	}
	return err
}

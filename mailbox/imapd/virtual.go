package imapd

import (
	"strings"

	"github.com/restante/restante/mailbox"
)

// virtual is an entry of METADATA that is not kept as such. get returns nil where
// there is none. A nil set refuses; given a nil value, it removes.
type virtual struct {
	get func(*conn) ([]byte, error)
	set func(*conn, []byte) error

	alone error // refuses it beside other entries; nil takes it
}

// The entries that clients know by these names.
const (
	entryExpire = "/shared/vendor/restante/expire"
	entryDevice = "/private/devicetoken" // of Delta Chat
	entryUse    = "/private/specialuse"  // RFC 6154, 4
)

// virtuals returns those of a mailbox, or of the server.
func (c *conn) virtuals(at mailbox.MailboxID) map[string]virtual {
	all := map[string]virtual{}
	if at == 0 {
		for name, value := range c.srv.o.Shared {
			all[name] = fixed(value)
		}
		if c.srv.o.NewAlias != nil {
			all[entryAlias] = virtual{get: (*conn).aliases, set: (*conn).setAlias, alone: errAliasAlone}
		}
		if c.srv.o.Secrets {
			all[entrySecret] = virtual{get: (*conn).secretKind, set: (*conn).setSecret, alone: errSecretAlone}
			all[entryDevices] = virtual{get: (*conn).devices, set: (*conn).setDevices, alone: errSecretAlone}
		}
		all[entryExpire] = fixed(c.srv.o.Service.Terms().String())
	}
	if at != 0 {
		all[entryUse] = virtual{
			get: func(c *conn) ([]byte, error) { return c.specialUse(at) },
			set: func(c *conn, value []byte) error { return c.keepSpecialUse(at, value) },
		}
	}
	if at == 0 || at == mailbox.Inbox { // Delta Chat has used both
		all[entryDevice] = virtual{get: (*conn).deviceToken, set: (*conn).setDeviceToken}
	}
	return all
}

// fixed is an entry that can only be read.
func fixed(value string) virtual {
	return virtual{get: func(*conn) ([]byte, error) {
		if value == "" {
			return nil, nil
		}
		return []byte(value), nil
	}}
}

// deviceToken returns the push token that was given last. Each device gives its own.
func (c *conn) deviceToken() ([]byte, error) {
	tokens, err := c.session.PushTokens(c.ctx)
	if err != nil || len(tokens) == 0 {
		return nil, err
	}
	return []byte(tokens[0]), nil
}

// setDeviceToken keeps one more push token, or forgets all of them. Where the relay
// does not wake devices it keeps none, and says OK all the same: Delta Chat takes a
// NO for a broken connection.
func (c *conn) setDeviceToken(value []byte) error {
	switch {
	case value == nil:
		return c.session.DropPushTokens(c.ctx)
	case len(value) == 0 || !c.srv.o.Push:
		return nil
	}
	return c.session.AddPushToken(c.ctx, mailbox.PushToken(value))
}

// specialUse returns the attribute of a mailbox's use, or nil if it has none.
func (c *conn) specialUse(at mailbox.MailboxID) ([]byte, error) {
	folders, err := c.session.Folders(c.ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		if name := useName(f.Use); f.ID == at && name != "" {
			return []byte(name), nil
		}
	}
	return nil, nil
}

// keepSpecialUse takes the use that the mailbox has already, and refuses any other: a
// use is given with CREATE.
func (c *conn) keepSpecialUse(at mailbox.MailboxID, value []byte) error {
	use, err := c.specialUse(at)
	if err == nil && !strings.EqualFold(string(use), string(value)) {
		err = errUseFixed
	}
	return err
}

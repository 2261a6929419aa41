package imapd

import (
	"context"
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// entryAlias stands for the addresses of the account. It reads as a list of them, one
// a line, the oldest first. To set it to "+NAME" makes one more, "+" one of a
// generated name, and "-ADDRESS" gives one up for good. Only a session that manages
// the account sees it: for others it is not there.
const entryAlias = "/private/vendor/restante/alias"

// NewAlias gives the account of a session one more address: of that local part, or of
// a generated one if it is "". Errors are those of mailbox.Session.AddAlias; ErrName
// is also for what nobody can have.
type NewAlias func(ctx context.Context, x *mailbox.Session, local string) (addr.Address, error)

// maxAliasValue is the longest value that entryAlias takes: a sign and an address.
const maxAliasValue = 1 + addr.MaxAddress

var (
	errAliasMain  = no(imap.ResponseCodeNoPerm, "This takes the account's own password: a device password can't change addresses")
	errAliasValue = no(imap.ResponseCodeCannot, "Write +NAME for one more address, + for a generated one, or -ADDRESS to give one up for good")
	errAliasAlone = no(imap.ResponseCodeCannot, "Set the entry of addresses in a command of its own")
	errAliasName  = no(imap.ResponseCodeCannot, "Nobody can have this name: take 3 to 32 of a to z, 0 to 9, dot, hyphen and underscore, and not an operator's")
	errAliasTaken = no(imap.ResponseCodeAlreadyExists, "The address is taken, or was given up once: choose another name")
	errAliasGone  = no(imap.ResponseCodeNonExistent, "This is no address of the account")
	errAliasLimit = no(imap.ResponseCodeLimit, "An account has one address at least and 32 at most, and 500 in its life")
)

// aliases returns the addresses, or nil if the session may not manage them.
func (c *conn) aliases() ([]byte, error) {
	if !c.session.Manages() {
		return nil, nil
	}
	list, err := c.session.Addresses(c.ctx)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(list))
	for i, a := range list {
		lines[i] = a.String()
	}
	return []byte(strings.Join(lines, "\r\n")), nil
}

// setAlias does what the value says.
func (c *conn) setAlias(value []byte) error {
	if !c.session.Manages() {
		return errAliasMain
	}
	if len(value) == 0 || len(value) > maxAliasValue {
		return errAliasValue
	}
	var err error
	switch rest := string(value[1:]); value[0] {
	case '+':
		_, err = c.srv.o.NewAlias(c.ctx, c.session, rest)
	case '-':
		err = c.retireAlias(rest)
	default:
		return errAliasValue
	}
	return aliasError(err)
}

func (c *conn) retireAlias(address string) error {
	a, err := addr.Parse(address)
	if err != nil {
		return errAliasValue
	}
	return c.session.RetireAlias(c.ctx, a)
}

// aliasError tells the outcomes that mean something else here than for mailboxes.
func aliasError(err error) error {
	switch {
	case errors.Is(err, mailbox.ErrName):
		return errAliasName
	case errors.Is(err, mailbox.ErrExists):
		return errAliasTaken
	case errors.Is(err, mailbox.ErrGone):
		return errAliasGone
	case errors.Is(err, mailbox.ErrLimit):
		return errAliasLimit
	}
	return err
}

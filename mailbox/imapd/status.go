package imapd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// statusError is an answer that a command has decided on itself, because it
// belongs to the protocol and not to the domain.
type statusError struct {
	typ  imap.StatusResponseType
	code imap.ResponseCode
	args []string // of the code: a list of strings; nil for none
	more string   // of the code: words of the protocol; "" for none
	text string
}

func (e *statusError) Error() string { return e.text }

func no(code imap.ResponseCode, text string) error {
	return &statusError{typ: imap.StatusResponseTypeNo, code: code, text: text}
}

// detailed is no with words of the protocol behind the code.
func detailed(code imap.ResponseCode, more, text string) error {
	return &statusError{typ: imap.StatusResponseTypeNo, code: code, more: more, text: text}
}

func bad(text string) error {
	return &statusError{typ: imap.StatusResponseTypeBad, text: text}
}

// Codes that go-imap does not name.
const (
	codeExpungeIssued imap.ResponseCode = "EXPUNGEISSUED"
	codeReadOnly      imap.ResponseCode = "READ-ONLY"
)

var (
	errUnknownCommand = bad("There is no such command")
	errReadOnly       = no(codeReadOnly, "The mailbox is open for reading only")
)

// wrongState says what has to come before a command that runs in these states.
func wrongState(now, needed state) error {
	switch {
	case now == notAuthenticated:
		return bad("Log in first")
	case needed == selectedState:
		return bad("Select a mailbox first")
	}
	return bad("You are logged in already")
}

// outcomes is how each outcome of the domain is told (RFC 9051, 7.1; RFC 5530).
// The texts are for a person who sees them in a mail client.
var outcomes = []struct {
	err  error
	code imap.ResponseCode
	text string
}{
	{mailbox.ErrAuth, imap.ResponseCodeAuthenticationFailed, "Authentication failed: wrong address or password"},
	{mailbox.ErrMayNot, imap.ResponseCodeNoPerm, "This device password may not do that; use another one"},
	{mailbox.ErrThrottled, imap.ResponseCodeLimit, "Too many failed logins or new accounts of late, try again in some minutes"},
	{mailbox.ErrBusy, imap.ResponseCodeUnavailable, "The relay is busy, try again in a minute"},
	{mailbox.ErrDisabled, imap.ResponseCodeContactAdmin, "This account is disabled, ask the operator of the relay"},
	{mailbox.ErrNoAccount, imap.ResponseCodeAuthenticationFailed, "Authentication failed: wrong address or password"},
	{mailbox.ErrNoMailbox, imap.ResponseCodeNonExistent, "There is no such mailbox"},
	{mailbox.ErrExists, imap.ResponseCodeAlreadyExists, "It exists already"},
	{mailbox.ErrName, imap.ResponseCodeCannot, "A mailbox can't have this name"},
	{mailbox.ErrInbox, imap.ResponseCodeCannot, "INBOX can't be deleted"},
	{mailbox.ErrHasChildren, imap.ResponseCodeHasChildren, "It has mailboxes below it"},
	{mailbox.ErrOverQuota, imap.ResponseCodeOverQuota, "The mailbox is full: delete something first"},
	{mailbox.ErrTooLarge, imap.ResponseCodeTooBig, "The message is too large"},
	{mailbox.ErrLimit, imap.ResponseCodeLimit, "There are too many of these already"},
	{mailbox.ErrGone, codeExpungeIssued, "The message is gone"},
	{mailbox.ErrFull, imap.ResponseCodeOverQuota, "The relay's disk is full, try again later"},
	{mailbox.ErrUnknown, imap.ResponseCodeUnavailable, "It may or may not have happened: look, then try again"},
	{mailbox.ErrClosed, imap.ResponseCodeUnavailable, "The session has ended, log in again"},
	{mailbox.ErrCorrupt, imap.ResponseCodeCorruption, "A stored message is damaged, tell the operator of the relay"},
	{errTooMany, imap.ResponseCodeLimit, "Too many connections of this account: close one first"},
	{context.Canceled, imap.ResponseCodeUnavailable, "The session has ended, log in again"},
}

// statusOf says how to tell err. One that is not known is told by a number that
// the log explains.
func (c *conn) statusOf(err error) *statusError {
	var own *statusError
	var syntax *wire.SyntaxError
	var limit *wire.LimitError
	var name *wire.NameError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &syntax):
		return &statusError{typ: imap.StatusResponseTypeBad, text: "Expected " + syntax.Want}
	case errors.As(err, &name):
		return &statusError{typ: imap.StatusResponseTypeNo, code: imap.ResponseCodeCannot, text: "A mailbox can't have this name: it is " + name.Error()}
	case errors.As(err, &limit):
		return &statusError{typ: imap.StatusResponseTypeBad, text: fmt.Sprintf("More than %d %s", limit.Max, limit.What)}
	case errors.Is(err, mailbox.ErrRefused):
		return refusal(err)
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			c.log().Debug("refused", "code", string(o.code))
			return &statusError{typ: imap.StatusResponseTypeNo, code: o.code, text: o.text}
		}
	}
	id := fmt.Sprintf("%08x", rand.Uint32())
	c.log().Error("command failed", "reference", id, "error", err)
	return &statusError{typ: imap.StatusResponseTypeNo, code: imap.ResponseCodeServerBug,
		text: "Internal error, the operator finds it in the log under " + id}
}

// refusal tells what the gate said. Its text is written for a person.
func refusal(err error) *statusError {
	text := "Encryption needed: only OpenPGP encrypted messages can be kept here"
	var why interface{ Reason() string }
	if errors.As(err, &why) {
		text += " (" + why.Reason() + ")"
	}
	return &statusError{typ: imap.StatusResponseTypeNo, code: imap.ResponseCodeCannot, text: text}
}

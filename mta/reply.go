package mta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/scram"
	"github.com/restante/restante/mailbox"
)

// A reply is one SMTP reply: the code (RFC 5321, 4.2), the enhanced code (RFC
// 3463 and its registry), and lines for a person. No line quotes what the
// client sent.
type reply struct {
	code     int
	enhanced smtp.EnhancedCode
	text     string // lines are separated by \n
}

// An outcome is an error and the reply it gets.
type outcome struct {
	err   error
	reply reply
}

var (
	replyKept = reply{250, smtp.EnhancedCode{2, 0, 0}, "Ok: kept"}
	replyBye  = reply{421, smtp.EnhancedCode{4, 3, 2}, "The relay is shutting down, try again in a minute"}

	replySender    = reply{250, smtp.EnhancedCode{2, 1, 0}, "Sender ok"}
	replyRecipient = reply{250, smtp.EnhancedCode{2, 1, 5}, "Recipient ok"}

	// replyInternal is for what was not foreseen.
	replyInternal = reply{451, smtp.EnhancedCode{4, 3, 0}, "Internal error, try again later"}
)

// gateText begins the reply to mail that is not encrypted, and the gate's reason
// follows; gateAdvice stands for a reason that is not there. It is one line,
// because many clients show the first or the last one only. Delta Chat shows its
// own explanation when it finds the words "invalid unencrypted mail".
const (
	gateCode   = 523
	gateText   = "Encryption Needed: Invalid Unencrypted Mail: "
	gateAdvice = "turn on OpenPGP end-to-end encryption for this message and send it again"
	maxText    = 200 - len("523 5.7.10 ") // so that the first line stands alone in 200 characters
)

// outcomes has the reply for every error that a command can end with. It is the
// one place where errors become SMTP.
var outcomes = []outcome{
	// The domain's outcomes.
	{mailbox.ErrRefused, reply{gateCode, smtp.EnhancedCode{5, 7, 10}, gateText + gateAdvice}},
	{mailbox.ErrNoAccount, reply{550, smtp.EnhancedCode{5, 1, 1}, "There is no such mailbox here; check the address"}},
	{mailbox.ErrDisabled, reply{550, smtp.EnhancedCode{5, 2, 1}, "This mailbox is disabled and takes no mail"}},
	{mailbox.ErrOverQuota, reply{452, smtp.EnhancedCode{4, 2, 2}, "The mailbox is full; it takes mail again when its owner has made room"}},
	{mailbox.ErrTooLarge, reply{552, smtp.EnhancedCode{5, 3, 4}, "The message is larger than this relay takes; the reply to EHLO says how large it may be"}},
	{mailbox.ErrFull, reply{452, smtp.EnhancedCode{4, 3, 1}, "The relay has no room at the moment, try again later"}},
	{mailbox.ErrBusy, reply{451, smtp.EnhancedCode{4, 3, 2}, "The relay is busy, try again in a minute"}},
	{mailbox.ErrThrottled, reply{450, smtp.EnhancedCode{4, 7, 1}, "Too many attempts, try again later"}},
	{mailbox.ErrUnknown, reply{451, smtp.EnhancedCode{4, 3, 0}, "The relay can't tell whether it kept the message; send it again, it is not kept twice"}},
	{mailbox.ErrClosed, replyBye},
	{mailbox.ErrAuth, reply{535, smtp.EnhancedCode{5, 7, 8}, "Authentication failed: check the address and the password"}},

	// No outcomes of taking mail in: if one comes here, the fault is ours.
	{mailbox.ErrCorrupt, replyInternal},
	{mailbox.ErrNoMailbox, replyInternal},
	{mailbox.ErrExists, replyInternal},
	{mailbox.ErrName, replyInternal},
	{mailbox.ErrInbox, replyInternal},
	{mailbox.ErrHasChildren, replyInternal},
	{mailbox.ErrLimit, replyInternal},
	{mailbox.ErrMayNot, replyInternal},
	{mailbox.ErrGone, replyInternal},

	// This connection's state.
	{errAuthFirst, reply{530, smtp.EnhancedCode{5, 7, 0}, "Authentication required: log in with your address and password"}},
	{errAuthNotHere, reply{502, smtp.EnhancedCode{5, 5, 1}, "There is no login on this port; mail clients use port 465 or 587"}},
	{errAuthMechanism, reply{504, smtp.EnhancedCode{5, 5, 4}, "Unknown mechanism; use SCRAM-SHA-256, PLAIN or LOGIN"}},
	{errAuthInMail, reply{503, smtp.EnhancedCode{5, 5, 1}, "AUTH can't be given inside a mail transaction"}},
	{errAuthSyntax, reply{501, smtp.EnhancedCode{5, 5, 2}, "The response does not fit the mechanism"}},
	{scram.ErrSyntax, reply{501, smtp.EnhancedCode{5, 5, 2}, "The response does not fit the mechanism"}},
	{scram.ErrBinding, reply{535, smtp.EnhancedCode{5, 7, 8}, "Authentication failed: the client sees another TLS connection than the server"}},
	{errAuthTries, reply{421, smtp.EnhancedCode{4, 7, 0}, "Too many failed logins on this connection; check the address and the password"}},
	{errRevoked, reply{421, smtp.EnhancedCode{4, 7, 0}, "The account or its password was changed; log in again"}},
	{errNested, reply{503, smtp.EnhancedCode{5, 5, 1}, "MAIL was given already; send RSET before another one"}},
	{errTLSFirst, reply{530, smtp.EnhancedCode{5, 7, 0}, "Send STARTTLS first"}},
	{errHelloArgument, reply{501, smtp.EnhancedCode{5, 5, 4}, "EHLO needs a domain or an address literal"}},
	{errStopping, replyBye},
	{errIdle, reply{421, smtp.EnhancedCode{4, 4, 2}, "The connection was idle too long"}},
	{errSlow, reply{421, smtp.EnhancedCode{4, 4, 2}, "The connection is too slow"}},
	{errTooManyErrors, reply{421, smtp.EnhancedCode{4, 7, 0}, "Too many errors on this connection"}},
	{errTooManyCommands, reply{421, smtp.EnhancedCode{4, 7, 0}, "Too many commands on this connection, try again in a minute"}},
	{errLongCommand, reply{421, smtp.EnhancedCode{4, 7, 0}, "The line is too long"}},
	{errAfterTLS, reply{421, smtp.EnhancedCode{4, 7, 0}, "Nothing may follow STARTTLS before the handshake"}},
	{errBrokenOff, reply{421, smtp.EnhancedCode{4, 3, 2}, "A message was broken off; connect again for another one"}},
	{errLost, reply{421, smtp.EnhancedCode{4, 4, 2}, "The connection was lost or too slow"}},
	{errPanic, reply{421, smtp.EnhancedCode{4, 3, 0}, "Internal error"}},
	{smtp.ErrDataReset, reply{451, smtp.EnhancedCode{4, 4, 2}, "The message was broken off"}},
	{io.ErrUnexpectedEOF, reply{451, smtp.EnhancedCode{4, 4, 2}, "The message was broken off"}},
	{context.Canceled, replyBye},

	// The envelope.
	{errSenderPath, reply{553, smtp.EnhancedCode{5, 1, 7}, "The sender is not a valid address"}},
	{errRecipientPath, reply{553, smtp.EnhancedCode{5, 1, 3}, "The recipient is not a valid address"}},
	{errSender, reply{553, smtp.EnhancedCode{5, 7, 1}, "Use one of your own addresses as the sender"}},
	{errForged, reply{550, smtp.EnhancedCode{5, 7, 1}, "Mail from an address of this relay needs a login: send it through port 465 or 587"}},
	{errRelay, reply{550, smtp.EnhancedCode{5, 7, 1}, "Relaying denied: this is not a mail server of the recipient's domain"}},
	{errNoRoute, reply{550, smtp.EnhancedCode{5, 4, 4}, "This relay delivers to its own domains only; the recipient's domain is not one of them"}},
	{errBudget, reply{452, smtp.EnhancedCode{4, 5, 3}, "Too many recipients for a message of this size; send it to the others separately"}},
	{errApart, reply{452, smtp.EnhancedCode{4, 5, 3}, "This recipient's mail comes apart from that for others; send it to them separately"}},
	{errBlocked, reply{550, smtp.EnhancedCode{5, 7, 1}, "The recipient takes no mail from this sender"}},
	{errTooMany, reply{451, smtp.EnhancedCode{4, 7, 1}, "Too many messages in a minute, try again later"}},
	{errTooLargeFor, reply{552, smtp.EnhancedCode{5, 3, 4}, "The message is too large for so many recipients; send it to fewer at a time"}},

	// The message.
	{errBareCR, reply{550, smtp.EnhancedCode{5, 6, 0}, "The message has a carriage return without a line feed; lines end with both"}},
	{errBareLF, reply{550, smtp.EnhancedCode{5, 6, 0}, "The message has a line feed without a carriage return; lines end with both"}},
	{errNUL, reply{550, smtp.EnhancedCode{5, 6, 0}, "The message has a NUL byte; encode such data with base64"}},
	{errLongLine, reply{550, smtp.EnhancedCode{5, 6, 0}, "The message has a line that is too long; encode it with quoted-printable or base64"}},
	{errHeaderSize, reply{552, smtp.EnhancedCode{5, 3, 4}, "The header of the message is too large"}},
	{errHeaderSyntax, reply{550, smtp.EnhancedCode{5, 6, 0}, "The header of the message has a line that is not a field; is the empty line after it missing?"}},
	{errFromCount, reply{550, smtp.EnhancedCode{5, 6, 0}, "The message must have one From field with a valid address, and a submitted one exactly one address"}},
	{errFrom, reply{550, smtp.EnhancedCode{5, 7, 1}, "Use one of your own addresses in the From field"}},
	{errLoop, reply{554, smtp.EnhancedCode{5, 4, 6}, "The message has passed too many servers; it seems to go round in circles"}},
	{errUnsigned, reply{550, smtp.EnhancedCode{5, 7, 22}, "The message needs a valid DKIM signature of the domain in its From field, over all of its body"}},
	{errUnauthentic, reply{550, smtp.EnhancedCode{5, 7, 26}, "The message needs a valid DKIM signature of the domain in its From field, or SPF that lets you send for it"}},
	{errDNS, reply{451, smtp.EnhancedCode{4, 4, 3}, "The domain in the From field can't be looked up in DNS at the moment, try again later"}},
}

// loginOutcomes are the replies of AUTH that differ from those of the other
// commands (RFC 4954, 6; X.7.13 is of RFC 5248's registry).
var loginOutcomes = []outcome{
	{mailbox.ErrDisabled, reply{525, smtp.EnhancedCode{5, 7, 13}, "This account is disabled; ask the operator of the relay"}},
	{mailbox.ErrThrottled, reply{454, smtp.EnhancedCode{4, 7, 0}, "Too many failed logins or new accounts of late, try again in some minutes"}},
	{mailbox.ErrBusy, reply{454, smtp.EnhancedCode{4, 7, 0}, "The relay is busy checking passwords, try again in a minute"}},
}

// replyTo returns the reply for err, from the first table that has it. Not a
// word of err goes into it but the gate's reason.
func replyTo(err error, tables ...[]outcome) reply {
	for _, table := range tables {
		for _, o := range table {
			if errors.Is(err, o.err) {
				return withReason(o.reply, err)
			}
		}
	}
	return replyInternal
}

// withReason puts the gate's reason into the reply to a refusal.
func withReason(r reply, err error) reply {
	if reason := gateReason(err); reason != "" {
		r.text = clip(gateText+printable(reason), maxText)
	}
	return r
}

// gateReason returns the judge's own words from an error that wraps
// mailbox.ErrRefused beside it: what follows the first colon, since errors go
// from the general to the particular.
func gateReason(err error) string {
	for err != nil {
		if both, ok := err.(interface{ Unwrap() []error }); ok {
			reason := reasonBeside(both.Unwrap())
			if _, detail, ok := strings.Cut(reason, ": "); ok {
				return detail
			}
			return reason
		}
		err = errors.Unwrap(err)
	}
	return ""
}

func reasonBeside(errs []error) string {
	if len(errs) != 2 || errs[0] != mailbox.ErrRefused {
		return ""
	}
	return errs[1].Error()
}

// printable replaces what can't stand in a reply line (RFC 5321, 4.2).
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// smtpError gives the reply to the engine, which takes it from no other type.
// Success is a reply too: the engine's own has a text we do not promise.
func (r reply) smtpError() *smtp.SMTPError {
	return &smtp.SMTPError{Code: r.code, EnhancedCode: r.enhanced, Message: r.text}
}

// withID adds the number under which the log tells more.
func (r reply) withID(id string) reply {
	r.text = fmt.Sprintf("%s (reference %s)", r.text, id)
	return r
}

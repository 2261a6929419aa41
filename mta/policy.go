package mta

import (
	"errors"
	"slices"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// What policy refuses. The words and codes that clients get are in reply.go.
var (
	errAuthFirst   = errors.New("mta: not logged in")
	errSender      = errors.New("mta: envelope sender is not an address of the account")
	errFrom        = errors.New("mta: From is not an address of the account")
	errFromCount   = errors.New("mta: not exactly one From")
	errForged      = errors.New("mta: local address without a login")
	errRelay       = errors.New("mta: relaying denied")
	errNoRoute     = errors.New("mta: no way to another domain")
	errBudget      = errors.New("mta: recipients times size over the budget")
	errTooLargeFor = errors.New("mta: message too large for its number of recipients")
	errLoop        = errors.New("mta: too many Received fields")
	errUnsigned    = errors.New("mta: no good DKIM signature of the author's domain")
	errUnauthentic = errors.New("mta: neither DKIM nor SPF vouches for the author's domain")
)

// A role is what a listener is for.
type role int

const (
	submission role = iota // our own users, who log in
	exchange               // other servers (MX), who bring mail for our users
)

func (r role) String() string {
	if r == exchange {
		return "mx"
	}
	return "submission"
}

const (
	// maxReceived is how many Received fields a message may have: more is a
	// loop (RFC 5321, 6.3).
	maxReceived = 30

	// deliveryBudget bounds recipients × size of one transaction: each
	// recipient gets a copy sealed to its own key.
	deliveryBudget = 256 << 20
)

// A policy decides, from values alone, what one connection may do.
type policy struct {
	role    role
	domains []string // ours, as addr.Address.Domain spells them
	remote  bool     // our users may write to other domains

	operator addr.Address // who gets mail to postmaster and abuse; zero is nobody
	clear    bool         // such mail may come in clear from other servers

	ownersClear bool // likewise mail for owners who have chosen that

	own []addr.Address
}

// local reports whether the address is at one of our domains.
func (p policy) local(a addr.Address) bool { return slices.Contains(p.domains, a.Domain()) }

// owns reports whether the account that logged in may send as a.
func (p policy) owns(a addr.Address) bool { return slices.ContainsFunc(p.own, a.Equal) }

// sender decides on MAIL FROM; the zero address is the null sender. Submitted
// mail has a sender who can be told of a failure (RFC 6409, 6.1 and 8.1), and
// nobody sends as one of our users without a login.
func (p policy) sender(from addr.Address) error {
	if p.role == submission {
		if !p.owns(from) {
			return errSender
		}
		return nil
	}
	if p.local(from) {
		return errForged
	}
	return nil
}

// author decides on the addresses in the message's From field.
func (p policy) author(from []addr.Address) error {
	if p.role == exchange {
		if slices.ContainsFunc(from, p.local) {
			return errForged
		}
		return nil
	}
	if len(from) != 1 {
		return errFromCount
	}
	if !p.owns(from[0]) {
		return errFrom
	}
	return nil
}

// recipient decides whether mail for to is taken at all. Whether the mailbox
// exists is the domain's to say.
func (p policy) recipient(to addr.Address) error {
	switch {
	case p.local(to):
		return nil
	case p.role == exchange:
		return errRelay
	case p.remote:
		return nil
	}
	return errNoRoute
}

// budget decides whether one more recipient is taken, beside those there are,
// for a message of the announced size (0 if it was not announced).
func (p policy) budget(there int, size int64) error {
	if int64(there+1)*size > deliveryBudget {
		return errBudget
	}
	return nil
}

// messageLimit returns the size up to which a message for so many recipients is
// taken, and the error of a larger one.
func messageLimit(maxMessage int64, recipients int) (int64, error) {
	if each := deliveryBudget / int64(max(recipients, 1)); each < maxMessage {
		return each, errTooLargeFor
	}
	return maxMessage, mailbox.ErrTooLarge
}

// loop decides whether a message came by too many servers.
func loop(received int) error {
	if received > maxReceived {
		return errLoop
	}
	return nil
}

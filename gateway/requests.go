package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// requestsName is the mailbox for mail of strangers: encrypted, from people whom the
// user has neither written to nor met, and whom nobody they know has introduced. The
// user decides by moving a mail of theirs:
//
//   - to the mailbox for junk: they are blocked, and their mail goes there from now on;
//   - to the trash, or away altogether: nothing is decided, and the next mail is a
//     request again;
//   - to any other mailbox: they are accepted.
//
// A mail of somebody blocked that is moved out of junk accepts them. So does writing
// to them.
const requestsName = "Requests"

// inboxName is what both sides call the mailbox where mail comes in.
const inboxName = "INBOX"

// fate is where a mail that has come belongs.
type fate int

// The fates.
const (
	stay       fate = iota
	consumed        // a step of a protocol that is done: nothing for the user to read
	toRequests      // from a stranger
	toJunk          // from somebody blocked
)

// fateOf returns where a mail of a peer belongs. Cleartext has no key that could be
// unknown: it stays where the provider has put it.
func fateOf(p Peer, v Verdict) fate {
	switch {
	case v.State == Own:
		return stay
	case p.Blocked:
		return toJunk
	case p.stranger() && v.State != Cleartext:
		return toRequests
	}
	return stay
}

// file puts a mail that has come to INBOX on the server where it belongs there. It
// reports false if that is INBOX. From another mailbox nothing is taken away but
// protocol: somebody has put it there.
func (c *cycle) file(ctx context.Context, p *pair, uid imap.UID, f fate) (filed bool, err error) {
	name := ""
	switch {
	case f == consumed:
		return true, c.r.remove(p.far, []imap.UID{uid})
	case p.ledger.Name != inboxName:
		return false, nil
	case f == toRequests:
		name = requestsName
	case f == toJunk:
		if name, err = c.junk(ctx); err != nil || name == "" {
			return false, err
		}
	default:
		return false, nil
	}
	far, err := c.farName(name)
	if err != nil {
		return false, err
	}
	if _, err := c.r.copy(p.far, uid, far, true); err != nil {
		return false, fmt.Errorf("file a mail: %w", err)
	}
	c.again = true // the next cycle finds it at its new place
	return true, nil
}

// farName returns the name on the server of a local mailbox, which is made there if it
// is not there yet.
func (c *cycle) farName(name string) (string, error) {
	for _, p := range c.pairs {
		if p.ledger.Name == name {
			return p.far, nil
		}
	}
	return name, c.r.create(name)
}

// junk returns the name of the mailbox for junk, "" if there is none.
func (c *cycle) junk(ctx context.Context) (string, error) {
	here, err := c.folders(ctx)
	for _, f := range here {
		if f.Use == mailbox.UseJunk {
			return f.Name, err
		}
	}
	return "", err
}

// decided takes note of what the user means by having moved or copied a message from
// one mailbox to another.
func (c *cycle) decided(ctx context.Context, from, to *pair, here mailbox.UID) error {
	roles, err := c.folders(ctx)
	if err != nil {
		return err
	}
	d := decisionOf(from.ledger.Name, roles[from.ledger.Name].Use, to.ledger.Name, roles[to.ledger.Name].Use)
	if d == undecided {
		return nil
	}
	var sender addr.Address
	_, err = c.item(ctx, to, here, func(i *mailbox.Item) error {
		info, err := i.Info()
		if err == nil {
			sender = soleAddress(info.Envelope.From)
		}
		return err
	})
	if err != nil || sender.IsZero() {
		return err
	}
	return c.opener.contacts.welcome(sender, d)
}

// decision is what the user means by moving a mail.
type decision int

// The decisions.
const (
	undecided decision = iota
	wanted             // mail of the sender is
	unwanted           // mail of the sender is not
	pardoned           // the sender is no longer blocked, if they were
)

func decisionOf(from string, fromUse mailbox.SpecialUse, to string, toUse mailbox.SpecialUse) decision {
	switch {
	case toUse == mailbox.UseTrash, from == to:
		return undecided
	case from == requestsName && toUse == mailbox.UseJunk:
		return unwanted
	case from == requestsName:
		return wanted
	case fromUse == mailbox.UseJunk && to != requestsName:
		return pardoned
	}
	return undecided
}

// welcome carries out a decision about a sender.
func (c *Contacts) welcome(a addr.Address, d decision) error {
	p, err := c.Peer(a)
	if err != nil || p.decided(d) {
		return err
	}
	_, err = c.Update(a, func(p Peer) (Peer, Event) {
		p.Accepted, p.Blocked = d != unwanted, d == unwanted
		return p, Nothing
	})
	return err
}

// decided reports whether a decision would change nothing.
func (p Peer) decided(d decision) bool {
	switch d {
	case wanted:
		return p.Accepted && !p.Blocked
	case unwanted:
		return p.Blocked
	case pardoned:
		return !p.Blocked
	}
	return true
}

// Welcome says that mail of an address is wanted, and Block that it is not: it goes to
// the mailbox for junk.
func (c *Contacts) Welcome(a addr.Address) error { return c.welcome(a, wanted) }

// Block is the opposite of Welcome.
func (c *Contacts) Block(a addr.Address) error { return c.welcome(a, unwanted) }

// isUnsendable reports whether an error is that keys are missing.
func isUnsendable(err error) bool {
	var missing *Unsendable
	return errors.As(err, &missing)
}

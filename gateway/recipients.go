package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// Unsendable says for whom a mail can't be encrypted, so that it was sent to nobody.
type Unsendable struct {
	Recipients []UnsendableTo
}

// UnsendableTo is one recipient with the reason: ErrNoKey, ErrHeld, pgp.ErrExpired,
// pgp.ErrRevoked or pgp.ErrCannotEncrypt.
type UnsendableTo struct {
	Address addr.Address
	Reason  error
}

// reasons says for each reason what is wrong and what to do. %s is the addresses.
var reasons = []struct {
	err  error
	text string
}{
	{ErrNoKey, "No key for %s: run restante gateway accept LINK with an invitation of theirs (Delta Chat and Restante make them), " +
		"or restante gateway accept FILE with their key file, or let them publish their key at their domain (WKD). " +
		"Who has no encrypted mail yet can make an account on your relay and send you an invitation."},
	{ErrHeld, "The key of %s has changed, and mail is held until you decide: compare fingerprints, then run restante gateway accept ADDRESS."},
	{pgp.ErrExpired, "The key of %s has expired: ask for the renewed one."},
	{pgp.ErrRevoked, "The key of %s was withdrawn by its owner: ask for the new one."},
	{pgp.ErrCannotEncrypt, "The key of %s can't be encrypted to: ask for another one."},
}

// Error returns one line for the user, in which every recipient without a key is
// named. It goes to the user's own mail client and nowhere else.
func (u *Unsendable) Error() string {
	var b strings.Builder
	b.WriteString("Nothing was sent.")
	for _, r := range reasons {
		var list []string
		for _, to := range u.Recipients {
			if errors.Is(to.Reason, r.err) {
				list = append(list, to.Address.String())
			}
		}
		if len(list) > 0 {
			fmt.Fprintf(&b, " "+r.text, strings.Join(list, ", "))
		}
	}
	return b.String()
}

// resolve finds the keys of a mail's recipients: all of them, or the error is an
// *Unsendable. all are the user's identities, and own the one that the mail goes out by.
func (c *Contacts) resolve(all *identities, own *Identity, to []addr.Address, now time.Time) (keys, error) {
	k := keys{own: own, certs: map[string]*pgp.Cert{}, greet: map[string]bool{}, now: now}
	var missing []UnsendableTo
	for _, a := range to {
		if self, err := all.live(a); err == nil {
			k.certs[a.Key()] = self.Current.Cert()
			continue
		}
		cert, err := c.usable(a, now)
		if isReason(err) {
			missing = append(missing, UnsendableTo{a, err})
			continue
		}
		if err != nil {
			return keys{}, err
		}
		k.certs[a.Key()] = cert
		if k.greet[a.Key()], err = c.unanswered(a); err != nil {
			return keys{}, err
		}
	}
	if len(missing) > 0 {
		return keys{}, &Unsendable{missing}
	}
	return k, nil
}

func (c *Contacts) usable(a addr.Address, now time.Time) (*pgp.Cert, error) {
	cert, _, err := c.Cert(a, now)
	return cert, err
}

// unanswered reports whether a has never written to us, and so may not have our key.
// Some software (Thunderbird 153) looks for it only in the header outside.
func (c *Contacts) unanswered(a addr.Address) (bool, error) {
	p, err := c.Peer(a)
	return p.LastSeen.IsZero(), err
}

func isReason(err error) bool {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return true
		}
	}
	return false
}

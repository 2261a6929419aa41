package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// RevokeDevices makes the passwords of the user's other devices useless, those at the relay
// and those at this gateway, and ends their connections: of the names, or of all if none is
// given. It returns the names that were revoked, each once. The error is ErrNoDevice if
// nothing has one of the names; nothing is revoked then. Where the relay's can't be
// revoked, the gateway's are, and the error is ErrForeign or ErrDevicePassword.
func (g *Gateway) RevokeDevices(ctx context.Context, names ...string) (revoked []string, err error) {
	here, err := g.devices(ctx)
	if err != nil {
		return nil, err
	}
	here = slices.DeleteFunc(here, func(d mailbox.Device) bool { return d.Label == clientLabel || !chosen(d.Label, names) })
	for _, d := range here {
		revoked = append(revoked, d.Label)
	}
	err = g.upstream.onServer(ctx, func(r *remote) error {
		there, err := r.devicePasswords()
		if err != nil && !isBeyond(err) {
			return err
		}
		there = slices.DeleteFunc(there, func(d devicePassword) bool { return !chosen(d.label, names) })
		for _, d := range there {
			revoked = append(revoked, d.label)
		}
		if !containsAll(revoked, names) {
			return errors.Join(ErrNoDevice, err)
		}
		return errors.Join(err, r.revoke(there), g.revokeHere(ctx, here))
	})
	slices.Sort(revoked)
	return slices.Compact(revoked), err
}

// chosen reports whether a device is one of those that are meant.
func chosen(label string, names []string) bool {
	return len(names) == 0 || slices.Contains(names, label)
}

func containsAll(have, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(have, n) })
}

// isBeyond reports whether an error says that the relay lets this gateway change no passwords.
func isBeyond(err error) bool { return errors.Is(err, ErrForeign) || errors.Is(err, ErrDevicePassword) }

func (r *remote) revoke(list []devicePassword) error {
	for _, d := range list {
		if err := r.set(devicesEntry, "-"+d.number); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) revokeHere(ctx context.Context, list []mailbox.Device) error {
	for _, d := range list {
		if err := g.local.Session.RevokeDevice(ctx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// The mail of TellContacts.
const (
	toldSubject = "My key is renewed"
	toldText    = "I have lost a device, and renewed my key. Your mail program has taken the new one from this mail: there is nothing to do."
)

// TellContacts puts a mail to each contact whom the user has met, and whose key can be used,
// into the outbox: it brings the user's present key, by the identity that the contact
// knows. It returns how many there are, and is durable then.
func (g *Gateway) TellContacts() (told int, err error) {
	now, all := g.o.Now(), g.own.Load()
	err = g.contacts.Each(func(a addr.Address, p Peer) error {
		known := p.knownAs(all.main.Address)
		_, _, unusable := g.contacts.Cert(a, now)
		if len(known) == 0 || unusable != nil || !p.Accepted || all.isOwn(a) {
			return nil
		}
		err := g.sendNote(note{from: known[0], to: []addr.Address{a}, subject: toldSubject, text: toldText})
		if errors.Is(err, ErrEnded) {
			return nil
		}
		told++
		return err
	})
	return told, err
}

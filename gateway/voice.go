package gateway

import (
	"slices"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
)

// knownAs returns the addresses by which the peer knows the user; the first is the one
// for new mail. It is empty if they have not met. main is the account's own address.
func (p Peer) knownAs(main addr.Address) []addr.Address {
	var list []addr.Address
	for _, text := range p.Own {
		if a, err := addr.Parse(text); err == nil {
			list = append(list, a)
		}
	}
	if len(list) == 0 && !p.LastSeen.IsZero() { // noted before there were identities
		list = append(list, main)
	}
	return list
}

// meets returns what is known after the peer has learned that an address is the user's.
func (p Peer) meets(as, main addr.Address) Peer {
	known := p.knownAs(main)
	if !containsAddress(known, as) {
		known = append(known, as)
	}
	return p.withOwn(known)
}

// prefers is meets for the address that new mail goes out by.
func (p Peer) prefers(as, main addr.Address) Peer {
	rest := slices.DeleteFunc(p.knownAs(main), as.Equal)
	return p.withOwn(append([]addr.Address{as}, rest...))
}

func (p Peer) withOwn(list []addr.Address) Peer {
	p.Own = nil
	for _, a := range list {
		p.Own = append(p.Own, a.String())
	}
	return p
}

// meet notes that a contact has learned that an address is the user's.
func (c *Contacts) meet(a, as, main addr.Address) error {
	p, err := c.Peer(a)
	if err != nil || containsAddress(p.knownAs(main), as) && len(p.Own) > 0 {
		return err
	}
	_, err = c.Update(a, func(p Peer) (Peer, Event) { return p.meets(as, main), Nothing })
	return err
}

// voice decides by which identity a mail goes out. Errors: ErrLinks, ErrEnded.
func (g *Gateway) voice(o *outgoing) (*Identity, error) {
	all := g.own.Load()
	if o.group != nil {
		return all.live(o.group.self(all.main.Address))
	}
	if len(all.apart) == 0 {
		return all.main, nil
	}
	said := o.from
	if said.Equal(all.main.Address) {
		said = addr.Address{} // most clients know no other
	}
	known, err := g.acquaintances(o.to)
	if err != nil {
		return nil, err
	}
	thread, err := g.threads.address(o.answers())
	if err != nil && said.IsZero() {
		return nil, err
	}
	a, err := pickVoice(all.main.Address, said, thread, known)
	if err != nil {
		return nil, err
	}
	return all.live(a)
}

// acquaintances returns by which addresses each recipient knows the user, but for the
// user.
func (g *Gateway) acquaintances(to []addr.Address) ([][]addr.Address, error) {
	all := g.own.Load()
	var list [][]addr.Address
	for _, a := range to {
		if all.isOwn(a) {
			continue
		}
		p, err := g.contacts.Peer(a)
		if err != nil {
			return nil, err
		}
		list = append(list, p.knownAs(all.main.Address))
	}
	return list, nil
}

// pickVoice returns by which address a mail goes out: what its From says, if the user has
// chosen one there; else that of the mail it answers; else the first by which a recipient
// knows the user; else main. All recipients who have met the user must know that address
// (ErrLinks), unless From says it.
func pickVoice(main, said, thread addr.Address, known [][]addr.Address) (addr.Address, error) {
	met := slices.DeleteFunc(known, func(list []addr.Address) bool { return len(list) == 0 })
	var choice []addr.Address
	switch {
	case !said.IsZero():
		return said, nil
	case len(met) == 0 && thread.IsZero():
		return main, nil
	case !thread.IsZero():
		choice = []addr.Address{thread}
	default:
		choice = met[0]
	}
	for _, a := range choice {
		if !slices.ContainsFunc(met, func(list []addr.Address) bool { return !containsAddress(list, a) }) {
			return a, nil
		}
	}
	return addr.Address{}, ErrLinks
}

// answers returns the ids of the mails that the mail answers.
func (o *outgoing) answers() []string {
	var ids []string
	for f := range mime.Fields(o.message.Root.Header) {
		if f.Is("In-Reply-To") || f.Is("References") {
			ids = append(ids, messageIDs(f.Value())...)
		}
	}
	return ids
}

// speakAs makes the mail one of an identity apart: nothing in it is of another. The
// user's other addresses can't be among those it goes to (ErrLinks).
func (o *outgoing) speakAs(own *Identity, all *identities, t *threads) error {
	for _, a := range append(slices.Clone(o.to), o.visible...) {
		if all.isOwn(a) && !a.Equal(own.Address) {
			return ErrLinks
		}
	}
	// Who answers to all answers to that address too, which would be a copy to oneself.
	if others := slices.DeleteFunc(slices.Clone(o.to), own.Address.Equal); len(others) > 0 {
		o.to = others
	}
	o.apart = &disguise{main: all.main.Address, from: own.Address, threads: t, named: own.Address.Equal(o.from)}
	// The client's id may have the name of the machine in it.
	o.client, o.id, o.from = o.id, newMessageID(own.Address), own.Address
	return nil
}

// author returns the identity that a mail of the user's is by: whom its From names, else
// the account's.
func (s *identities) author(header []byte) *Identity {
	for f := range mime.Fields(header) {
		if !f.Is("From") {
			continue
		}
		if own, err := s.live(soleAddress(mime.ParseAddressList(f.Value()))); err == nil {
			return own
		}
	}
	return s.main
}

// addressee returns the identity that a mail in clear came to, by what it says.
func (r *opener) addressee(e mime.Envelope) *Identity {
	for _, a := range addresses(e.To, e.Cc) {
		if own := r.own().of(a); own != nil {
			return own
		}
	}
	return r.own().main
}

// noteThread remembers that a mail came to one of the user's identities, if there are
// several.
func (r *opener) noteThread(to *Identity, id string) error {
	if to == nil || len(r.own().apart) == 0 {
		return nil
	}
	return r.threads.note(to.Address, id, "")
}

// apart returns the address of an identity if it is not the account's.
func (r *opener) apart(own *Identity) addr.Address {
	if own == nil || own == r.own().main {
		return addr.Address{}
	}
	return own.Address
}

// mixed reports whether a mail that the key of one identity opened is by its header to
// another one alone: somebody wants to see whether both are one person's.
func (r *opener) mixed(to *Identity, e mime.Envelope) bool {
	other := false
	for _, a := range addresses(e.To, e.Cc) {
		own := r.own().of(a)
		if own == to {
			return false
		}
		other = other || own != nil
	}
	return other
}

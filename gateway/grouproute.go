package gateway

import (
	"errors"
	"slices"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// Why a mail can't go to a group.
var (
	errMixed = errors.New("write to one group alone, or add the others to it first: all its members see who is in it")
	errAlone = errors.New("you are alone in this group: add somebody with `restante gateway group add`")
)

func isGroupAddress(a addr.Address) bool { return a.Domain() == groupDomain }

// route makes a mail to the address of a group one to its members. A mail to no group
// stays as it is. Errors: ErrNoGroup, errMixed, errAlone.
func (g *groups) route(o *outgoing) error {
	i := slices.IndexFunc(o.to, isGroupAddress)
	if i < 0 {
		return nil
	}
	x, err := g.get(o.to[i].Local())
	if err != nil {
		return err
	}
	for _, a := range o.to {
		if !a.Equal(x.Address()) && !x.Has(a) {
			return errMixed
		}
	}
	others := x.others(x.self(g.own))
	if len(others) == 0 {
		return errAlone
	}
	o.group, o.to, o.visible = &x, others, others
	return nil
}

// replaceTo returns a header in which the members stand for the group.
func (g Group) replaceTo(header []pgp.Field, own addr.Address) []pgp.Field {
	header = slices.DeleteFunc(header, func(f pgp.Field) bool {
		return f.Is("To") || f.Is("Cc") || f.Is("Reply-To")
	})
	return append(header, g.fields(own)...)
}

// inGroup returns the group that a mail is in, after what the mail says of it: one that
// it names, or else that of a mail which it answers. Only mail whose sender is proved
// counts; a stranger puts the user into no group.
func (r *opener) inGroup(mail pgp.Opened, v Verdict, sender Peer, from addr.Address, shown mime.Envelope) (*Group, error) {
	own := r.own()
	to := own.withKey(mail.OpenedBy)
	if v.State != Good && v.State != Own && v.State != NewKey {
		return nil, nil
	}
	at := r.effective(shown.Time)
	m, ok := readGroupMail(mail.Header, from, mail.Signer, at, r.now())
	if !ok && v.State == NewKey {
		return nil, nil
	}
	if !ok {
		references, _ := findField(mail.Header, "References")
		if g, ok := r.groups.thread(append(messageIDs(references), messageIDs(shown.InReplyTo)...), from); ok && g.self(own.main.Address).Equal(to.Address) {
			return &g, r.groups.remember(g.ID, shown.MessageID)
		}
		return nil, nil
	}
	g, ok, err := r.groups.see(m, shown.MessageID, v.State == Own || !sender.stranger() && !sender.Blocked, to.Address)
	if !ok || err != nil {
		return nil, err
	}
	return &g, nil
}

// messageIDs returns the ids in a References or In-Reply-To.
func messageIDs(value string) []string {
	var ids []string
	for _, id := range strings.Fields(strings.ReplaceAll(value, "><", "> <")) {
		if len(ids) < maxGroupMessages && strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") {
			ids = append(ids, id)
		}
	}
	return ids
}

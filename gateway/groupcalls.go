package gateway

import (
	"context"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// Groups returns the groups that the user is in, by name.
func (g *Gateway) Groups() []Group { return g.groups.list() }

// NewGroup makes a group and takes people into it. They learn of it by the first mail
// that is written to it. The error is an *Unsendable if the key of one is missing.
func (g *Gateway) NewGroup(ctx context.Context, name string, people ...addr.Address) (Group, error) {
	return g.NewGroupAs(ctx, addr.Address{}, name, people...)
}

// NewGroupAs is NewGroup for a group in which the user has an identity apart. Errors are
// also ErrNotOwn and ErrEnded.
func (g *Gateway) NewGroupAs(ctx context.Context, identity addr.Address, name string, people ...addr.Address) (Group, error) {
	now := g.o.Now()
	own, err := g.own.Load().live(identity)
	if err != nil {
		return Group{}, err
	}
	k, err := g.resolve(ctx, own, people)
	if err != nil {
		return Group{}, err
	}
	x, err := g.groups.create(name, own.Address, own.Current.Fingerprint(), now.Unix())
	if err != nil || len(people) == 0 {
		return x, err
	}
	_, x, err = g.groups.change(x.ID, func(x *Group) error {
		for _, a := range people {
			x.add(a, k.certs[a.Key()].Fingerprint(), now.Unix())
		}
		return nil
	})
	return x, err
}

// AddMember takes somebody into a group, which everybody in it learns by a mail. The
// error is ErrNoGroup, ErrMember, ErrGroupFull, or an *Unsendable if a key is missing.
func (g *Gateway) AddMember(ctx context.Context, group string, a addr.Address) error {
	k, err := g.reachable(ctx, group, a)
	if err != nil {
		return err
	}
	return g.addMember(group, a, k, "")
}

// joined takes somebody into a group who has followed an invitation to it.
func (g *Gateway) joined(group string, a addr.Address) error {
	x, err := g.groups.get(group)
	if err != nil {
		return err
	}
	all := g.own.Load()
	own, err := all.live(x.self(g.upstream.Address))
	if err != nil {
		return err
	}
	k, err := g.contacts.resolve(all, own, append(x.others(own.Address), a), g.o.Now())
	if err != nil {
		return err
	}
	return g.addMember(group, a, k, "vg-member-added")
}

func (g *Gateway) addMember(group string, a addr.Address, k keys, word string) error {
	print := k.certs[a.Key()].Fingerprint()
	_, x, err := g.groups.change(group, func(x *Group) error {
		switch {
		case x.Has(a) && word == "":
			return ErrMember
		case len(x.People) >= maxMembers:
			return ErrGroupFull
		}
		x.add(a, print, k.now.Unix())
		return nil
	})
	if err != nil {
		return err
	}
	header := []pgp.Field{{Name: "Chat-Group-Member-Added", Value: a.String()}, {Name: "Chat-Group-Member-Added-Fpr", Value: string(print)}}
	if word != "" {
		header = append(header, step(word, "")...)
	}
	return g.tell(x, x.others(k.own.Address), "Member "+a.String()+" was added.", header)
}

// RemoveMember takes somebody out of a group, which they and everybody in it learn by
// a mail. To leave it, give the account's own address. Errors are those of AddMember.
func (g *Gateway) RemoveMember(ctx context.Context, group string, a addr.Address) error {
	k, err := g.reachable(ctx, group)
	if err != nil {
		return err
	}
	if a.Equal(g.upstream.Address) {
		a = k.own.Address
	}
	before, x, err := g.groups.change(group, func(x *Group) error {
		if !x.Has(a) {
			return ErrMember
		}
		x.remove(a, g.o.Now().Unix())
		return nil
	})
	if err != nil {
		return err
	}
	header := []pgp.Field{{Name: "Chat-Group-Member-Removed", Value: a.String()}}
	if i := x.find(a); i >= 0 && x.People[i].Fingerprint != "" {
		header = append(header, pgp.Field{Name: "Chat-Group-Member-Removed-Fpr", Value: string(x.People[i].Fingerprint)})
	}
	return g.tell(x, before.others(k.own.Address), "Member "+a.String()+" was removed.", header)
}

// RenameGroup gives a group another name, which everybody in it learns by a mail. Its
// address stays. Errors are those of AddMember, and ErrGroupName.
func (g *Gateway) RenameGroup(ctx context.Context, group, name string) error {
	k, err := g.reachable(ctx, group)
	if err != nil {
		return err
	}
	before, x, err := g.groups.change(group, func(x *Group) error {
		if x.Name = oneLine(name); x.Name == "" {
			return ErrGroupName
		}
		x.NameAt = max(g.o.Now().Unix(), x.NameAt+1)
		return nil
	})
	if err != nil {
		return err
	}
	return g.tell(x, x.others(k.own.Address), "The group is called "+x.Name+" now.",
		[]pgp.Field{{Name: "Chat-Group-Name-Changed", Value: encodeWords(before.Name)}})
}

// reachable returns the keys of everybody in a group, and of some more people: a change
// that can't be told to all is not made.
func (g *Gateway) reachable(ctx context.Context, group string, more ...addr.Address) (keys, error) {
	x, err := g.groups.get(group)
	if err != nil {
		return keys{}, err
	}
	own, err := g.own.Load().live(x.self(g.upstream.Address))
	if err != nil {
		return keys{}, err
	}
	return g.resolve(ctx, own, append(x.others(own.Address), more...))
}

// tell writes to people about a change of the group.
func (g *Gateway) tell(x Group, to []addr.Address, text string, header []pgp.Field) error {
	if len(to) == 0 {
		return nil
	}
	own := x.self(g.upstream.Address)
	return g.sendNote(note{
		from: own, to: to, subject: x.Name, text: text, gossip: true, header: append(x.fields(own), header...),
	})
}

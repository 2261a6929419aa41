package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// groupKind is where the vault keeps groups, by their ids.
const groupKind = "group"

// Why something can't be done with a group.
var (
	// ErrNoGroup: the user is in no group of that name.
	ErrNoGroup = errors.New("you are in no such group: `restante gateway group` lists them")
	// ErrMember: somebody is in the group already, or is not.
	ErrMember = errors.New("that changes nothing: look who is in the group with `restante gateway group`")
	// ErrGroupFull: the group has as many members as it can have.
	ErrGroupFull = fmt.Errorf("the group is full: it has room for %d", maxMembers)
	// ErrGroupName: the group would have no name.
	ErrGroupName = errors.New("a group needs a name")
)

// groups are the groups in a vault. They are safe for concurrent use.
type groups struct {
	vault *vault.Vault
	own   addr.Address

	mu   sync.Mutex
	byID map[string]Group
}

func openGroups(v *vault.Vault, own addr.Address) (*groups, error) {
	g := &groups{vault: v, own: own, byID: map[string]Group{}}
	err := eachRecord(v, groupKind, func(id string, x Group) error {
		g.byID[id] = x
		return nil
	})
	return g, err
}

// get returns the group with that id or alias that the user is in.
func (g *groups) get(name string) (Group, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.getLocked(name)
}

func (g *groups) getLocked(name string) (Group, error) {
	for _, x := range g.byID {
		if (x.ID == name || strings.EqualFold(x.Alias, name) || strings.EqualFold(x.Address().String(), name)) && x.Has(g.own) {
			return x, nil
		}
	}
	return Group{}, ErrNoGroup
}

// list returns the groups that the user is in, by name.
func (g *groups) list() []Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []Group
	for _, x := range g.byID {
		if x.Has(g.own) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b Group) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// putLocked keeps a group, and gives it an alias if it has none.
func (g *groups) putLocked(x Group) (Group, error) {
	if x.Alias == "" {
		x.Alias = slug(x.Name, func(alias string) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(g.byID)), func(y Group) bool { return y.Alias == alias })
		})
	}
	if err := putRecord(g.vault, groupKind, x.ID, x); err != nil {
		return Group{}, err
	}
	g.byID[x.ID] = x
	return x, nil
}

// change changes a group that the user is in, as f says, and keeps it.
func (g *groups) change(name string, f func(*Group) error) (before, after Group, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if before, err = g.getLocked(name); err != nil {
		return Group{}, Group{}, err
	}
	after = before
	after.People, after.Messages = slices.Clone(before.People), slices.Clone(before.Messages)
	if err := f(&after); err != nil {
		return Group{}, Group{}, err
	}
	after, err = g.putLocked(after)
	return before, after, err
}

// create makes a group of the user's.
func (g *groups) create(name string, f pgp.Fingerprint, at int64) (Group, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := Group{ID: newToken(), Name: oneLine(name), NameAt: at}
	if x.Name == "" {
		return Group{}, ErrGroupName
	}
	x.add(g.own, f, at)
	return g.putLocked(x)
}

// see takes in what a mail says of its group. It reports false if the mail is in none
// that the user is in. known says that a new group may be made: the sender is not a
// stranger.
func (g *groups) see(m groupMail, message string, known bool) (Group, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.byID[m.id]
	switch {
	case ok && x.Has(m.from.Address):
		x = x.apply(m)
	case ok && x.Has(g.own), !known || m.name == "" || !m.removed.IsZero():
		return Group{}, false, nil // a stranger to the group, or nothing to make one of
	default:
		alias := x.Alias // of a group that the user had left
		x = newGroupFrom(m)
		x.Alias = alias
	}
	if !ok && !x.Has(g.own) {
		return Group{}, false, nil
	}
	x.Messages = slices.Clone(x.Messages)
	x.remember(message)
	x, err := g.putLocked(x)
	return x, err == nil && (x.Has(g.own) || ok), err
}

// thread returns the group that one of the messages is in, for a mail that names no
// group itself, if its sender is in it.
func (g *groups) thread(messages []string, from addr.Address) (Group, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.byID {
		if !x.Has(g.own) || !x.Has(from) {
			continue
		}
		for _, id := range messages {
			if slices.Contains(x.Messages, id) {
				return x, true
			}
		}
	}
	return Group{}, false
}

// remember notes a message in a group.
func (g *groups) remember(id, message string) error {
	_, _, err := g.change(id, func(x *Group) error {
		x.remember(message)
		return nil
	})
	return err
}

// Groups returns the groups that the user is in, by name.
func (g *Gateway) Groups() []Group { return g.groups.list() }

// NewGroup makes a group and takes people into it. They learn of it by the first mail
// that is written to it. The error is an *Unsendable if the key of one is missing.
func (g *Gateway) NewGroup(ctx context.Context, name string, people ...addr.Address) (Group, error) {
	own, now := g.own.Load(), g.o.Now()
	k, err := g.resolve(ctx, people)
	if err != nil {
		return Group{}, err
	}
	x, err := g.groups.create(name, own.Current.Fingerprint(), now.Unix())
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
	k, err := g.contacts.resolve(g.own.Load(), append(x.others(g.upstream.Address), a), g.o.Now())
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
	return g.tell(x, x.others(g.upstream.Address), "Member "+a.String()+" was added.", header)
}

// RemoveMember takes somebody out of a group, which they and everybody in it learn by
// a mail. To leave it, give the user's own address. Errors are those of AddMember.
func (g *Gateway) RemoveMember(ctx context.Context, group string, a addr.Address) error {
	if _, err := g.reachable(ctx, group); err != nil {
		return err
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
	return g.tell(x, before.others(g.upstream.Address), "Member "+a.String()+" was removed.", header)
}

// RenameGroup gives a group another name, which everybody in it learns by a mail. Its
// address stays. Errors are those of AddMember, and ErrGroupName.
func (g *Gateway) RenameGroup(ctx context.Context, group, name string) error {
	if _, err := g.reachable(ctx, group); err != nil {
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
	return g.tell(x, x.others(g.upstream.Address), "The group is called "+x.Name+" now.",
		[]pgp.Field{{Name: "Chat-Group-Name-Changed", Value: encodeWords(before.Name)}})
}

// reachable returns the keys of everybody in a group, and of some more people: a change
// that can't be told to all is not made.
func (g *Gateway) reachable(ctx context.Context, group string, more ...addr.Address) (keys, error) {
	x, err := g.groups.get(group)
	if err != nil {
		return keys{}, err
	}
	return g.resolve(ctx, append(x.others(g.upstream.Address), more...))
}

// tell writes to people about a change of the group.
func (g *Gateway) tell(x Group, to []addr.Address, text string, header []pgp.Field) error {
	if len(to) == 0 {
		return nil
	}
	return g.sendNote(note{
		to: to, subject: x.Name, text: text, gossip: true, header: append(x.fields(g.upstream.Address), header...),
	})
}

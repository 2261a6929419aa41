package gateway

import (
	"cmp"
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
	own   addr.Address // the account's: the user's in groups that name no other

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
		if (x.ID == name || strings.EqualFold(x.Alias, name) || strings.EqualFold(x.Address().String(), name)) && x.hasUser(g.own) {
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
		if x.hasUser(g.own) {
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

// create makes a group of the user's, in which they have that address and key.
func (g *groups) create(name string, own addr.Address, f pgp.Fingerprint, at int64) (Group, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := Group{ID: newToken(), Name: oneLine(name), NameAt: at}
	if x.Name == "" {
		return Group{}, ErrGroupName
	}
	x.setOwn(own, g.own)
	x.add(own, f, at)
	return g.putLocked(x)
}

// see takes in what a mail says of its group. It reports false if the mail is in none
// that the user is in. known says that the sender is not a stranger: who is one makes
// no new group, and is a member only with the key that the group knows of them. own is the
// address of the user's that the mail was encrypted to: a new group knows them by it.
func (g *groups) see(m groupMail, message string, known bool, own addr.Address) (Group, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.byID[m.id]
	switch {
	case ok && x.Has(m.from.Address) && (known || x.hasKey(m.from)):
		x = x.apply(m)
	case ok && x.hasUser(g.own), !known || m.name == "" || !m.removed.IsZero():
		return Group{}, false, nil // a stranger to the group, or nothing to make one of
	default:
		alias := x.Alias // of a group that the user had left
		x = newGroupFrom(m)
		x.Alias = alias
		x.setOwn(own, g.own)
	}
	if !ok && !x.hasUser(g.own) {
		return Group{}, false, nil
	}
	x.Messages = slices.Clone(x.Messages)
	x.remember(message)
	x, err := g.putLocked(x)
	return x, err == nil && (x.hasUser(g.own) || ok), err
}

// thread returns the group that one of the messages is in, for a mail that names no
// group itself, if its sender is in it.
func (g *groups) thread(messages []string, from addr.Address) (Group, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.byID {
		if !x.hasUser(g.own) || !x.Has(from) {
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

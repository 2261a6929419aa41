package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// groupDomain is where the user's mail client finds groups. No such address leaves
// this machine: only the members know of a group, and no server does.
const groupDomain = "group.local"

// maxGroupMessages is how many messages of a group are remembered by their ids, to know
// an answer to one of them that does not name the group.
const maxGroupMessages = 200

// maxAlias bounds the address that is made of a group's name.
const maxAlias = 32

// maxMembers bounds a group: every mail goes to everybody, with all their keys.
const maxMembers = 100

// Group is a group of people who write to each other, in the form that Delta Chat
// gives it: every mail to the group says who is in it, with the times of all changes,
// so that members agree in the end in whatever order mail arrives. A Group is a value.
type Group struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	NameAt int64    `json:"nameAt,omitempty"` // when it got the name, in Unix seconds
	Alias  string   `json:"alias"`            // the local part of its address
	People []Member `json:"people"`           // all who are or were in it, the user too
	Own    string   `json:"own,omitempty"`    // the user's address in it, if not the account's

	Messages []string `json:"messages,omitempty"` // the last ones' Message-IDs
}

// Member is somebody who is or was in a group. The later of the two times tells.
type Member struct {
	Address     addr.Address
	Fingerprint pgp.Fingerprint // empty if nobody has said it
	Added       int64           // in Unix seconds
	Removed     int64
}

// memberRecord is a Member as the vault keeps it.
type memberRecord struct {
	Address     string          `json:"address"`
	Fingerprint pgp.Fingerprint `json:"fingerprint,omitempty"`
	Added       int64           `json:"added"`
	Removed     int64           `json:"removed,omitempty"`
}

// MarshalJSON writes the member for the vault.
func (m Member) MarshalJSON() ([]byte, error) {
	return json.Marshal(memberRecord{m.Address.String(), m.Fingerprint, m.Added, m.Removed})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Member) UnmarshalJSON(b []byte) error {
	var r memberRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	a, err := addr.Parse(r.Address)
	*m = Member{a, r.Fingerprint, r.Added, r.Removed}
	return err
}

// In reports whether the member is in the group now.
func (m Member) In() bool { return m.Added >= m.Removed }

// Address returns the group's own address, which only the user's mail client uses.
func (g Group) Address() addr.Address {
	a, _ := addr.Parse(g.Alias + "@" + groupDomain) // an alias is letters, digits and dashes
	return a
}

// Members returns those who are in the group now, in the order in which they came.
func (g Group) Members() []Member {
	var list []Member
	for _, m := range g.People {
		if m.In() {
			list = append(list, m)
		}
	}
	return list
}

// self returns the user's address in the group. main is the account's.
func (g Group) self(main addr.Address) addr.Address {
	if a, err := addr.Parse(g.Own); err == nil {
		return a
	}
	return main
}

// setOwn makes an address the user's in the group.
func (g *Group) setOwn(own, main addr.Address) {
	g.Own = ""
	if !own.Equal(main) {
		g.Own = own.String()
	}
}

// hasUser reports whether the user is in the group now.
func (g Group) hasUser(main addr.Address) bool { return g.Has(g.self(main)) }

// Has reports whether somebody is in the group now.
func (g Group) Has(a addr.Address) bool {
	i := g.find(a)
	return i >= 0 && g.People[i].In()
}

// hasKey reports whether the group knows a member by that key.
func (g Group) hasKey(m Member) bool {
	i := g.find(m.Address)
	return i >= 0 && m.Fingerprint != "" && g.People[i].Fingerprint == m.Fingerprint
}

// others returns the addresses of those in the group but one.
func (g Group) others(own addr.Address) []addr.Address {
	var list []addr.Address
	for _, m := range g.Members() {
		if !m.Address.Equal(own) {
			list = append(list, m.Address)
		}
	}
	return list
}

func (g Group) find(a addr.Address) int {
	return slices.IndexFunc(g.People, func(m Member) bool { return m.Address.Equal(a) })
}

// merge takes over what somebody says of a member: of each of the two times, the
// latest counts.
func (g *Group) merge(m Member) {
	i := g.find(m.Address)
	if i < 0 {
		if len(g.People) < maxMembers {
			g.People = append(g.People, m)
		}
		return
	}
	p := &g.People[i]
	p.Added, p.Removed = max(p.Added, m.Added), max(p.Removed, m.Removed)
	if m.Fingerprint != "" {
		p.Fingerprint = m.Fingerprint
	}
}

// add puts somebody into the group, or takes them out.
func (g *Group) add(a addr.Address, f pgp.Fingerprint, at int64) {
	g.merge(Member{Address: a, Fingerprint: f})
	if i := g.find(a); i >= 0 {
		p := &g.People[i]
		p.Added = max(at, p.Added, p.Removed)
	}
}

func (g *Group) remove(a addr.Address, at int64) {
	if i := g.find(a); i >= 0 {
		p := &g.People[i]
		p.Removed = max(at, p.Added+1, p.Removed)
	}
}

// remember notes the id of a message in the group.
func (g *Group) remember(id string) {
	if id == "" || slices.Contains(g.Messages, id) {
		return
	}
	g.Messages = append(g.Messages, id)
	if n := len(g.Messages) - maxGroupMessages; n > 0 {
		g.Messages = slices.Delete(g.Messages, 0, n)
	}
}

// groupMail is what a mail says of its group.
type groupMail struct {
	id, name string
	nameAt   int64
	renamed  bool
	from     Member
	to, past []Member // with times if timed
	timed    bool
	added    addr.Address // whom the mail is about, if it is about somebody's coming
	removed  addr.Address // or going
	at       int64
}

// apply returns the group after a mail of one of its members. A mail of somebody else
// changes nothing.
func (g Group) apply(m groupMail) Group {
	if !g.Has(m.from.Address) {
		return g
	}
	g.People = slices.Clone(g.People)
	if g.isRenamedBy(m) {
		g.Name, g.NameAt = m.name, max(m.nameAt, g.NameAt)
	}
	g.merge(Member{Address: m.from.Address, Fingerprint: m.from.Fingerprint})
	if m.timed {
		for _, p := range slices.Concat(m.to, m.past) {
			g.merge(p)
		}
		return g
	}
	if !m.added.IsZero() {
		g.add(m.added, "", m.at)
	}
	if !m.removed.IsZero() {
		g.remove(m.removed, m.at)
	}
	return g
}

// isRenamedBy reports whether the mail has a newer name for the group. Of two names of
// the same second the lesser counts, with Delta Chat as here, so that all agree.
func (g Group) isRenamedBy(m groupMail) bool {
	switch {
	case m.name == "":
		return false
	case m.nameAt == 0:
		return m.renamed
	}
	return m.nameAt > g.NameAt || m.nameAt == g.NameAt && m.name < g.Name
}

// newGroupFrom returns the group that a mail tells of for the first time.
func newGroupFrom(m groupMail) Group {
	g := Group{ID: m.id, Name: m.name, NameAt: m.nameAt}
	m.from.Added = max(m.from.Added, 0)
	g.merge(m.from)
	for _, p := range slices.Concat(m.to, m.past) {
		g.merge(p)
	}
	return g
}

// slug returns the local part of a group's address for its name: letters and digits of
// ASCII, with dashes between, and a number if that is taken.
func slug(name string, taken func(string) bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case b.Len() >= maxAlias:
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	base := strings.TrimSuffix(strings.Trim(b.String(), "-"), requestSuffix)
	if base == "" {
		base = "group"
	}
	alias := base
	for n := 2; taken(alias); n++ {
		alias = base + "-" + strconv.Itoa(n)
	}
	return alias
}

package gateway

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

func TestSlug(t *testing.T) {
	t.Parallel()
	taken := func(s string) bool { return s == "family" || s == "family-2" }
	tests := map[string]string{
		"Friends": "friends", "Family": "family-3", "The  Family!": "the-family", "Ελλάς": "group", "a-request": "a",
		"": "group", "--x--": "x", strings.Repeat("long ", 20): "long-long-long-long-long-long-lo",
	}
	for name, want := range tests {
		if got := slug(name, taken); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// members returns who is in a group, by the local parts, sorted.
func (g Group) members() string {
	var list []string
	for _, m := range g.Members() {
		list = append(list, m.Address.Local())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func person(name string) addr.Address { return addr.MustParse(name + "@x.test") }

// TestGroupAgrees: members who get the same mails in whatever order end with the same
// group.
func TestGroupAgrees(t *testing.T) {
	t.Parallel()
	start := Group{ID: newToken(), Name: "one"}
	for _, name := range []string{"a", "b", "c"} {
		start.add(person(name), "", 10)
	}
	// A story: a adds d, b removes c, a renames, d removes a, d adds c again.
	var mails []groupMail
	g := start
	tell := func(from string, f func(*Group)) {
		g.People = slices.Clone(g.People)
		f(&g)
		header := append(g.fields(person(from)), pgp.Field{Name: "Chat-Version", Value: "1.0"})
		m, ok := readGroupMail(header, person(from), "", time.Unix(50, 0), time.Unix(100, 0))
		if !ok {
			t.Fatalf("the header can't be read: %v", header)
		}
		mails = append(mails, m)
	}
	tell("a", func(g *Group) { g.add(person("d"), "", 20) })
	tell("b", func(g *Group) { g.remove(person("c"), 21) })
	tell("a", func(g *Group) { g.Name, g.NameAt = "two", 22 })
	tell("d", func(g *Group) { g.add(person("c"), "", 24) })
	want := g.members() + " " + g.Name
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		got := start
		got.add(person("d"), "", 20) // else d's mail is a stranger's if it comes first
		for _, i := range r.Perm(len(mails)) {
			got = got.apply(mails[i])
		}
		if s := got.members() + " " + got.Name; s != want {
			t.Errorf("seed %d: got %q, want %q", seed, s, want)
		}
	}
}

func TestGroupApply(t *testing.T) {
	t.Parallel()
	base := Group{ID: newToken(), Name: "one", NameAt: 5}
	for _, name := range []string{"a", "b"} {
		base.add(person(name), "", 10)
	}
	from := func(name string) Member { return Member{Address: person(name)} }
	timed := func(m groupMail) groupMail { m.timed = true; return m }
	tests := []struct {
		name string
		mail groupMail
		want string
	}{
		{"a stranger", timed(groupMail{from: from("x"), name: "two", nameAt: 9, to: []Member{{Address: person("x"), Added: 99}}}), "a b one"},
		{"who adds themselves", groupMail{from: from("x"), added: person("x"), at: 99}, "a b one"},
		{"added with times", timed(groupMail{from: from("a"), to: []Member{{Address: person("c"), Added: 20}}}), "a b c one"},
		{"removed with times", timed(groupMail{from: from("a"), past: []Member{{Address: person("b"), Removed: 20}}}), "a one"},
		{"an old removal", timed(groupMail{from: from("a"), past: []Member{{Address: person("b"), Removed: 9}}}), "a b one"},
		{"added without times", groupMail{from: from("a"), added: person("c"), at: 20}, "a b c one"},
		{"removed without times", groupMail{from: from("a"), removed: person("b"), at: 20}, "a one"},
		{"left", groupMail{from: from("b"), removed: person("b"), at: 20}, "a one"},
		{"a newer name", groupMail{from: from("b"), name: "two", nameAt: 6}, "a b two"},
		{"an older name", groupMail{from: from("b"), name: "two", nameAt: 4}, "a b one"},
		{"the lesser name of one second", groupMail{from: from("b"), name: "eins", nameAt: 5}, "a b eins"},
		{"the greater name of one second", groupMail{from: from("b"), name: "two", nameAt: 5}, "a b one"},
		{"a name without a time", groupMail{from: from("b"), name: "two", renamed: true}, "a b two"},
		{"somebody who only writes to fewer", groupMail{from: from("a"), to: []Member{from("x")}}, "a b one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := base.apply(tt.mail)
			if s := got.members() + " " + got.Name; s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
			if base.members() != "a b" {
				t.Error("the group before has changed")
			}
		})
	}
}

// TestGroupHeader: what is written is read again, with those who left and all keys.
func TestGroupHeader(t *testing.T) {
	t.Parallel()
	g := Group{ID: newToken(), Name: "Größe", NameAt: 7}
	for i, name := range []string{"a", "b", "c"} {
		g.add(person(name), pgp.Fingerprint(fmt.Sprintf("%040d", i)), int64(10+i))
	}
	g.remove(person("c"), 30)
	m, ok := readGroupMail(g.fields(person("a")), person("a"), "F", time.Unix(40, 0), time.Unix(40, 0))
	if !ok {
		t.Fatal("it can't be read")
	}
	got := newGroupFrom(m)
	got.add(person("a"), g.People[0].Fingerprint, 10) // the sender is not among the recipients
	if diff := cmp.Diff(got, g, cmp.Comparer(func(a, b Member) bool {
		return a.Address.Equal(b.Address) && a.Fingerprint == b.Fingerprint && a.In() == b.In()
	})); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
	for _, f := range []pgp.Field{{Name: "Chat-Group-ID", Value: "x"}, {Name: "Chat-Group-ID", Value: "bad token, with blanks"}, {Name: "To", Value: "a@x.test"}} {
		if _, ok := readGroupMail([]pgp.Field{f}, person("a"), "", time.Time{}, time.Time{}); ok {
			t.Errorf("%v names a group", f)
		}
	}
}

// FuzzReadGroupMail: whatever a member writes, nobody comes from the future, nothing
// breaks a header, and the group stays within its bounds.
func FuzzReadGroupMail(f *testing.F) {
	f.Add("<a@x.test>, B <b@x.test>", "<c@x.test>", "10 20 30", "AA BB CC", "=?utf-8?q?n=0Am?=", "9")
	f.Add("g: a@x.test;, ,,", "", "1", "", "", "99999999999999999999")
	f.Fuzz(func(t *testing.T, to, past, times, prints, name, nameAt string) {
		header := []pgp.Field{
			{Name: "Chat-Group-ID", Value: testAuth}, {Name: "To", Value: to}, {Name: "Chat-Group-Past-Members", Value: past},
			{Name: "Chat-Group-Member-Timestamps", Value: times}, {Name: "Chat-Group-Member-Fpr", Value: prints},
			{Name: "Chat-Group-Name", Value: name}, {Name: "Chat-Group-Name-Timestamp", Value: nameAt},
		}
		m, ok := readGroupMail(header, person("a"), "", time.Unix(50, 0), time.Unix(100, 0))
		if !ok {
			t.Fatal("it names a group")
		}
		g := Group{ID: testAuth}
		g.add(person("a"), "", 1)
		g = g.apply(m)
		if len(g.People) > maxMembers || g.NameAt > 100+futureTolerance || strings.ContainsAny(g.Name, "\r\n") || strings.ContainsAny(g.shownAs()[:len(g.shownAs())-2], "\x00") {
			t.Errorf("got %+v", g)
		}
		for _, p := range g.People {
			if p.Added > 100+futureTolerance || p.Removed > 100+futureTolerance {
				t.Errorf("%+v comes from the future", p)
			}
		}
	})
}

package mime

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddressList(t *testing.T) {
	t.Parallel()
	one := func(name, mailbox, host string) []Address {
		return []Address{{Name: name, Mailbox: mailbox, Host: host}}
	}
	tests := []struct {
		name, in string
		want     []Address
	}{
		{"empty", "", nil},
		{"commas", " , ,, ", nil},
		{"bare", "joe@x.org", one("", "joe", "x.org")},
		{"angle", "<joe@x.org>", one("", "joe", "x.org")},
		{"name", "Joe Doe <joe@x.org>", one("Joe Doe", "joe", "x.org")},
		{"name with dot", "Joe Q. Doe <joe@x.org>", one("Joe Q. Doe", "joe", "x.org")},
		{"quoted name", `"Doe, Joe \"J\" \\" <joe@x.org>`, one(`Doe, Joe "J" \`, "joe", "x.org")},
		{"quoted and bare words", `Joe "the" Doe <joe@x.org>`, one("Joe the Doe", "joe", "x.org")},
		{"encoded word", "=?utf-8?Q?J=C3=B6?= =?utf-8?Q?e?= <joe@x.org>", one("=?utf-8?Q?J=C3=B6?= =?utf-8?Q?e?=", "joe", "x.org")},
		{"UTF-8", "Jö <jö@bücher.example>", one("Jö", "jö", "bücher.example")},
		{"brackets in name", "[list] Joe <joe@x.org>", one("[list] Joe", "joe", "x.org")},
		{"comment as name", "joe@x.org (Joe (the) Doe)", one("Joe (the) Doe", "joe", "x.org")},
		{"comment with escape", `joe@x.org (Joe \) Doe)`, one("Joe ) Doe", "joe", "x.org")},
		{"name beats comment", "Joe <joe@x.org> (Doe)", one("Joe", "joe", "x.org")},
		{"name behind the address", "<joe@x.org> Joe", one("Joe", "joe", "x.org")},
		{"comments everywhere", "(a) joe (b) @ (c) x (d) . (e) org", one("a", "joe", "x.org")},
		{"blanks around dots", "joe . doe @ x . org", one("", "joe.doe", "x.org")},
		{"quoted local part", `"joe doe"@x.org`, one("", "joe doe", "x.org")},
		{"quoted local part in brackets", `<"joe@doe".x@y>`, one("", "joe@doe.x", "y")},
		{"literal", "joe@[127.0.0.1]", one("", "joe", "[127.0.0.1]")},
		{"IPv6 literal", "<joe@[IPv6:::1]>", one("", "joe", "[IPv6:::1]")},
		{"route", "<@a, @b:joe@x.org>", []Address{{Mailbox: "joe", Host: "x.org", Route: "@a, @b"}}},
		{"two", "a@x, b@y", []Address{{Mailbox: "a", Host: "x"}, {Mailbox: "b", Host: "y"}}},
		{"semicolon for comma", "a@x; b@y", []Address{{Mailbox: "a", Host: "x"}, {Mailbox: "b", Host: "y"}}},
		{"no comma after brackets", "<a@x> <b@y>", []Address{{Mailbox: "a", Host: "x"}, {Mailbox: "b", Host: "y"}}},
		{"no comma, bare", "a@x b@y", []Address{{Mailbox: "a", Host: "x"}, {Mailbox: "b", Host: "y"}}},
		{"unquoted address as name", "a@x <b@y>", one("a@x", "b", "y")},
		{"name without brackets", "Joe Doe joe@x.org", one("Joe Doe", "joe", "x.org")},
		{"group", "friends: a@x, Joe <b@y>;", []Address{{Mailbox: "friends"}, {Mailbox: "a", Host: "x"}, {Name: "Joe", Mailbox: "b", Host: "y"}, {}}},
		{"empty group", `"hidden-recipients": ;`, []Address{{Mailbox: "hidden-recipients"}, {}}},
		{"group of two words, then another", "my friends:;, g: a@x;", []Address{{Mailbox: "my friends"}, {}, {Mailbox: "g"}, {Mailbox: "a", Host: "x"}, {}}},
		{"group not ended", "g: a@x", []Address{{Mailbox: "g"}, {Mailbox: "a", Host: "x"}, {}}},
		{"group without name", ": a@x;", []Address{{Mailbox: MissingMailbox}, {Mailbox: "a", Host: "x"}, {}}},
		{"group in group", "g: h: a@x;", []Address{{Mailbox: "g"}, {Name: "h :", Mailbox: "a", Host: "x"}, {}}},
		{"no domain", "joe", one("", "joe", MissingHost)},
		{"no domain in brackets", "Joe <joe>", one("Joe", "joe", MissingHost)},
		{"name only", "Joe Doe", one("Joe Doe", MissingMailbox, MissingHost)},
		{"empty brackets", "Joe <>", one("Joe", MissingMailbox, MissingHost)},
		{"no local part", "@x.org", one("", MissingMailbox, "x.org")},
		{"open bracket", "Joe <joe@x.org", one("Joe", "joe", "x.org")},
		{"comma in open bracket", "<a@x, b@y", []Address{{Mailbox: "a", Host: "x"}, {Mailbox: "b", Host: "y"}}},
		{"bracket in bracket", "<a<b@y>", []Address{{Mailbox: "a", Host: MissingHost}, {Mailbox: "b", Host: "y"}}},
		{"stray brackets", "joe@x.org>)", one("", "joe", "x.org")},
		{"open quote", `"Joe <joe@x.org>`, one("", "Joe <joe@x.org>", MissingHost)},
		{"open comment", "joe@x.org (Joe", one("Joe", "joe", "x.org")},
		{"comment ends in backslash", `joe@x.org (Joe\`, one(`Joe\`, "joe", "x.org")},
		{"quote ends in backslash", `"Joe\`, one("", `Joe\`, MissingHost)},
		{"open literal", "joe@[127.0.0.1", one("", "joe", "[127.0.0.1")},
		{"two ats", "a@b@c", []Address{{Mailbox: "a", Host: "b"}, {Mailbox: MissingMailbox, Host: "c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(ParseAddressList(tt.in), tt.want); d != "" {
				t.Errorf("ParseAddressList(%q) (-got +want):\n%s", tt.in, d)
			}
		})
	}
}

func TestParseAddressListBound(t *testing.T) {
	t.Parallel()
	list := ParseAddressList("g: " + strings.Repeat("a@x,", 5000))
	if len(list) != maxAddresses+1 || !list[0].IsGroupStart() || !list[maxAddresses].IsGroupEnd() {
		t.Errorf("%d entries, from %v to %v", len(list), list[0], list[len(list)-1])
	}
}

// TestHostileFieldsAreFast feeds what would take far longer than ordinary fields if any reader looked
// again and again at the same octets.
func TestHostileFieldsAreFast(t *testing.T) {
	t.Parallel()
	ordinary := max(readAll(t, "a@b.example, "), 10*time.Millisecond)
	for _, unit := range []string{"(", ")", "<", "<@", "@[", "\"", "\\", ". ", ".", ",", ":", ";", "a@b ", "a ", "(\\", "=", ";a=\"", ";a", "\r\n ", "@ . ", "<\"", "a . "} {
		d := readAll(t, unit)
		for range 3 { // the machine may have had other things to do
			if d > 50*ordinary {
				d = min(d, readAll(t, unit))
			}
		}
		if d > 50*ordinary {
			t.Errorf("%q took %v, ordinary text %v", unit, d, ordinary)
		}
	}
}

// readAll measures how long all readers take for fields filled with unit.
func readAll(t *testing.T, unit string) time.Duration {
	t.Helper()
	text := strings.Repeat(unit, DefaultMaxHeader/len(unit)-50)
	begin := time.Now()
	ParseAddressList(text)
	ParseDate(text)
	for _, field := range []string{"Date: 1 ", "Content-Type: a/b ", "Content-Language: "} {
		if _, err := Walk(strings.NewReader(field+text+"\r\n\r\n"), Options{}); err != nil {
			t.Error(err)
		}
	}
	return time.Since(begin)
}

func FuzzAddressList(f *testing.F) {
	for _, s := range []string{"Joe <joe@x>, g: a@b;", `"a\"" <@r:"q"@[l]> (c(d))`, "a@b@c <<>>;;::", "joe . doe @ x . org (", "=?u?q?a?= <b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := ParseAddressList(s)
		if len(list) > maxAddresses+2 {
			t.Fatalf("%d entries", len(list))
		}
		open, text := false, 0
		for i, a := range list {
			if a.IsGroupStart() == open && a.IsGroupStart() || a.IsGroupEnd() && !open {
				t.Fatalf("entry %d of %q marks no group: %+v", i, s, list)
			}
			open = open && !a.IsGroupEnd() || a.IsGroupStart()
			if a.Mailbox == "" != a.IsGroupEnd() {
				t.Fatalf("entry %d of %q has no mailbox: %+v", i, s, a)
			}
			text += len(strings.ReplaceAll(a.Name+a.Mailbox+a.Host+a.Route, " ", ""))
		}
		if open {
			t.Fatalf("%q leaves a group open: %+v", s, list)
		}
		if limit := len(s) + len(list)*(len(MissingHost)+len(MissingMailbox)); text > limit {
			t.Fatalf("%q: %d octets of text from %d", s, text, limit)
		}
	})
}

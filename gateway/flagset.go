package gateway

import (
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// goneKeyword marks a local mail whose original is no longer on the server. It stays
// here: it is no flag of the mail's.
const goneKeyword = "$notonserver"

// flagSet is the set of a message's flags and keywords, in lower case: IMAP tells
// them apart without regard to case.
type flagSet map[string]bool

func newFlagSet(names ...string) flagSet {
	s := flagSet{}
	for _, n := range names {
		if n = strings.ToLower(n); n != `\recent` && n != goneKeyword {
			s[n] = true
		}
	}
	return s
}

// flags is a flagSet written down: its names in order, with blanks between them.
type flags string

func (s flagSet) flags() flags { return flags(strings.Join(s.names(), " ")) }

func (f flags) set() flagSet { return newFlagSet(strings.Fields(string(f))...) }

// names returns the flags in order.
func (s flagSet) names() []string { return slices.Sorted(maps.Keys(s)) }

// minus returns what is in s and not in t.
func (s flagSet) minus(t flagSet) flagSet {
	d := flagSet{}
	for n := range s {
		if !t[n] {
			d[n] = true
		}
	}
	return d
}

// imap returns the flags as the client library has them.
func (s flagSet) imap() []imap.Flag {
	var list []imap.Flag
	for _, n := range s.names() {
		list = append(list, imap.Flag(n))
	}
	return list
}

func flagSetOf(list []imap.Flag) flagSet {
	var names []string
	for _, f := range list {
		names = append(names, string(f))
	}
	return newFlagSet(names...)
}

// mergeFlags returns what both sides should have: each flag that one side has
// changed since they last agreed is as that side has it. Both sides can't have
// changed one flag in different ways. keeps tells which flags the provider keeps; the
// others are the local side's own affair.
func mergeFlags(base, remote, local flagSet, keeps func(string) bool) flagSet {
	merged := flagSet{}
	for _, s := range []flagSet{base, remote, local} {
		for n := range s {
			has := local[n]
			if keeps(n) && remote[n] != base[n] {
				has = remote[n]
			}
			if has {
				merged[n] = true
			}
		}
	}
	return merged
}

// systemFlags are those with a bit of their own in the local store.
var systemFlags = map[string]mailbox.Flags{
	`\seen`: mailbox.Seen, `\answered`: mailbox.Answered, `\flagged`: mailbox.Flagged,
	`\deleted`: mailbox.Deleted, `\draft`: mailbox.Draft,
}

// localFlags returns the set that a row of the local store stands for.
func localFlags(x *mailbox.Session, f mailbox.Flags) flagSet {
	s := newFlagSet(x.Names(f)...)
	for name, bit := range systemFlags {
		if f&bit != 0 {
			s[name] = true
		}
	}
	return s
}

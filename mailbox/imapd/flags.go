package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// systemFlags are spelled in this order.
var systemFlags = []struct {
	flag mailbox.Flags
	name imap.Flag
}{
	{mailbox.Answered, imap.FlagAnswered},
	{mailbox.Flagged, imap.FlagFlagged},
	{mailbox.Deleted, imap.FlagDeleted},
	{mailbox.Seen, imap.FlagSeen},
	{mailbox.Draft, imap.FlagDraft},
}

// systemNames has the names of each combination of system flags, and
// recentNames those with \Recent.
var systemNames, recentNames = spellSystem(false), spellSystem(true)

func spellSystem(recent bool) (names [mailbox.SystemFlags + 1][]imap.Flag) {
	for combination := range names {
		names[combination] = []imap.Flag{}
		for _, s := range systemFlags {
			if mailbox.Flags(combination)&s.flag != 0 {
				names[combination] = append(names[combination], s.name)
			}
		}
		if recent {
			names[combination] = append(names[combination], wire.FlagRecent)
		}
	}
	return names
}

// maxSpelled is how many combinations of keywords a session remembers.
const maxSpelled = 64

// flagNames returns the flags of a message as this session sees them, in a slice
// that is shared. It may write a FLAGS response, because a client has to know the
// keywords that it is told: call it before the response that the flags are for.
func (c *conn) flagNames(row mailbox.Row) []imap.Flag {
	recent := !c.enabled.rev2 && c.sel.isRecent(row.UID)
	names := systemNames[row.Flags&mailbox.SystemFlags]
	if recent {
		names = recentNames[row.Flags&mailbox.SystemFlags]
	}
	if row.Flags&^mailbox.SystemFlags == 0 {
		return names
	}
	return slices.Concat(names, c.keywords(row.Flags&^mailbox.SystemFlags))
}

// keywords spells keywords.
func (c *conn) keywords(f mailbox.Flags) []imap.Flag {
	s := c.sel
	if names, ok := s.spelled[f]; ok {
		return names
	}
	news := false
	var names []imap.Flag
	for _, word := range c.session.Names(f) {
		names = append(names, imap.Flag(word))
		if !slices.Contains(s.words, word) {
			s.words = append(s.words, word)
			news = true
		}
	}
	if news {
		c.writeFlagsDefined()
	}
	if s.spelled == nil || len(s.spelled) >= maxSpelled {
		s.spelled = map[mailbox.Flags][]imap.Flag{}
	}
	s.spelled[f] = names
	return names
}

// writeFlagsDefined tells which flags there are, and which the client may set
// (RFC 9051, 7.3.5 and 7.1).
func (c *conn) writeFlagsDefined() {
	names := slices.Clone(systemNames[mailbox.SystemFlags])
	for _, word := range c.sel.words {
		names = append(names, imap.Flag(word))
	}
	c.w.Untagged()
	c.w.Word("FLAGS")
	c.w.Flags(names)
	c.sent(c.w.CRLF())
	settable := append(names, imap.FlagWildcard)
	if c.sel.readOnly {
		settable = nil
	}
	c.untaggedStatus(imap.StatusResponseTypeOK, func() {
		c.w.OpenCode("PERMANENTFLAGS")
		c.w.Flags(settable)
		c.w.CloseCode()
	}, "Flags that can be set")
}

// writeFlags writes the FETCH response that tells the flags of the message at
// index i.
func (c *conn) writeFlags(i int, row mailbox.Row) {
	names := c.flagNames(row)
	c.startFetch(uint32(i)+1, row.UID, true)
	c.w.Word("FLAGS")
	c.w.Flags(names)
	if c.enabled.condstore {
		c.writeModSeq(row.ModSeq)
	}
	c.sent(c.w.EndFetch())
}

// writeModSeq writes the data item MODSEQ (RFC 7162, 3.1.4.2).
func (c *conn) writeModSeq(m mailbox.ModSeq) {
	c.w.Word("MODSEQ")
	c.w.Open()
	c.w.Number(uint64(m))
	c.w.Close()
}

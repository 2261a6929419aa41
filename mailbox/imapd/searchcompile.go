package imapd

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// What a search may ask for. Each condition costs time for each message.
const (
	maxConditions = 1000
	maxNeedles    = 100
)

// searchScope is what the conditions of a search refer to.
type searchScope struct {
	sel     *selected
	saved   []mailbox.UIDRange // "$"
	rev2    bool               // there is no \Recent
	uidOnly bool               // there are no sequence numbers
	now     time.Time
	keyword func(name string) mailbox.Flags // 0 if no message has it
}

// compiler makes a program of search keys.
type compiler struct {
	searchScope
	program
	count int
	err   error
}

// compile makes a program. The errors are answers to the client.
func (s searchScope) compile(k *wire.SearchKey) (*program, error) {
	c := compiler{searchScope: s}
	c.root = c.key(k)
	if c.err != nil {
		return nil, c.err
	}
	return &c.program, nil
}

func (c *compiler) fail(err error) condition {
	if c.err == nil {
		c.err = err
	}
	return every{}
}

// key makes a condition of a key; the switch is a flat table.
func (c *compiler) key(k *wire.SearchKey) condition {
	if c.count++; c.count > maxConditions {
		return c.fail(no(imap.ResponseCodeLimit, "Too many search keys"))
	}
	switch k.Op {
	case wire.SearchAll:
		return every{}
	case wire.SearchAnd:
		return every(c.keys(k.Keys))
	case wire.SearchOr:
		return either(c.keys(k.Keys))
	case wire.SearchNot:
		return not{c.key(&k.Keys[0])}
	case wire.SearchSeq:
		return c.numbers(k.Set)
	case wire.SearchUID:
		return c.uids(k.Set)
	case wire.SearchFlag:
		return c.flag(k.Flag)
	case wire.SearchUnflag:
		return not{c.flag(k.Flag)}
	case wire.SearchModSeq:
		c.modseq = true
		return fact(func(m *candidate) bool { return m.row.ModSeq >= mailbox.ModSeq(k.Number) })
	case wire.SearchLarger:
		return onInfo(func(i *mailbox.Info) bool { return i.Size > k.Number })
	case wire.SearchSmaller:
		return onInfo(func(i *mailbox.Info) bool { return i.Size < k.Number })
	case wire.SearchOlder:
		return onInfo(func(i *mailbox.Info) bool { return c.now.Unix()-i.Date.Unix() >= k.Number })
	case wire.SearchYounger:
		return onInfo(func(i *mailbox.Info) bool { return c.now.Unix()-i.Date.Unix() <= k.Number })
	case wire.SearchBefore, wire.SearchOn, wire.SearchSince:
		return onInfo(func(i *mailbox.Info) bool { return compareDay(i.Date, k) })
	case wire.SearchSentBefore, wire.SearchSentOn, wire.SearchSentSince:
		return onInfo(func(i *mailbox.Info) bool { return !i.Envelope.Time.IsZero() && compareDay(i.Envelope.Time, k) })
	case wire.SearchSavedBefore, wire.SearchSavedOn, wire.SearchSavedSince:
		return onItem(func(i *mailbox.Item) bool { return compareDay(timeOf(i.Saved), k) })
	case wire.SearchSaveDateSupported:
		return every{}
	case wire.SearchEmailID:
		return onItem(func(i *mailbox.Item) bool { return i.ID() == k.Text })
	case wire.SearchThreadID: // no message has one (DESIGN §8.17)
		return not{every{}}
	}
	return c.text(k)
}

func (c *compiler) keys(keys []wire.SearchKey) []condition {
	list := make([]condition, len(keys))
	for i := range keys {
		list[i] = c.key(&keys[i])
	}
	return list
}

// text makes a condition of a key that has a text. Without CHARSET it is UTF-8,
// of which ASCII is a part.
func (c *compiler) text(k *wire.SearchKey) condition {
	if !utf8.ValidString(k.Text) {
		return c.fail(errBadCharset)
	}
	folded := foldString(k.Text)
	switch k.Op {
	case wire.SearchHeader:
		if in, ok := envelopePlaces[k.Field]; ok {
			return withText(headerCondition(k.Field, folded), folded, in, true)
		}
		return withText(headerCondition(k.Field, folded), folded, InHeader, false)
	case wire.SearchBody, wire.SearchText:
		return c.needle(needle{folded, k.Op == wire.SearchText})
	}
	return c.fail(bad("There is no such search key"))
}

func (c *compiler) needle(n needle) condition {
	if len(n.folded) == 0 {
		return every{} // every text contains it
	}
	if len(c.needles) == maxNeedles {
		return c.fail(no(imap.ResponseCodeLimit, "Too many texts to search for"))
	}
	i := len(c.needles)
	c.needles = append(c.needles, n)
	p := &c.program
	in := InBody
	if n.headers {
		in |= InHeader
	}
	return withText(test{stageText, func(m *candidate) (bool, error) {
		err := p.scan(m)
		return err == nil && m.texts[i], err
	}}, n.folded, in, true)
}

// numbers makes a condition of a set of sequence numbers. Other than in FETCH,
// those beyond the last are simply not found.
func (c *compiler) numbers(set wire.Set) condition {
	if c.uidOnly && !set.Saved {
		return c.fail(errUIDRequired)
	}
	if set.Saved {
		return uidsIn(rangesOf(c.saved))
	}
	ranges := set.Resolve(uint32(len(c.sel.uids)))
	return fact(func(m *candidate) bool { return ranges.Contains(m.number) })
}

func (c *compiler) uids(set wire.Set) condition {
	if set.Saved {
		return uidsIn(rangesOf(c.saved))
	}
	var last mailbox.UID
	if n := len(c.sel.uids); n > 0 {
		last = c.sel.uids[n-1]
	}
	return uidsIn(set.Resolve(uint32(last)))
}

func uidsIn(ranges wire.Ranges) condition {
	return fact(func(m *candidate) bool { return ranges.Contains(uint32(m.row.UID)) })
}

func rangesOf(set []mailbox.UIDRange) wire.Ranges {
	ranges := make(wire.Ranges, len(set))
	for i, r := range set {
		ranges[i] = wire.Range{First: uint32(r.Low), Last: uint32(r.High)}
	}
	return ranges
}

func (c *compiler) flag(name imap.Flag) condition {
	if name == wire.FlagRecent {
		return fact(func(m *candidate) bool { return !c.rev2 && c.sel.isRecent(m.row.UID) })
	}
	flag, ok := systemFlag(name)
	if !ok {
		flag = c.keyword(string(name))
	}
	return fact(func(m *candidate) bool { return m.row.Flags&flag != 0 })
}

// systemFlag returns the flag of that name, told apart without regard to case.
func systemFlag(name imap.Flag) (mailbox.Flags, bool) {
	for _, s := range systemFlags {
		if strings.EqualFold(string(s.name), string(name)) {
			return s.flag, true
		}
	}
	return 0, false
}

func onInfo(holds func(*mailbox.Info) bool) condition {
	return test{stageInfo, func(m *candidate) (bool, error) {
		info, err := m.info()
		return err == nil && holds(info), err
	}}
}

func onItem(holds func(*mailbox.Item) bool) condition {
	return test{stageInfo, func(m *candidate) (bool, error) { return holds(m.item), nil }}
}

// compareDay compares the day of t in its own zone with the date of a key
// (RFC 9051, 6.4.4: "disregarding time and timezone").
func compareDay(t time.Time, k *wire.SearchKey) bool {
	day := dayOf(t)
	switch k.Op {
	case wire.SearchBefore, wire.SearchSentBefore, wire.SearchSavedBefore:
		return day.Before(k.Date)
	case wire.SearchOn, wire.SearchSentOn, wire.SearchSavedOn:
		return day.Equal(k.Date)
	}
	return !day.Before(k.Date)
}

// timeOf returns the beginning of a day, which is all that is known of the time.
func timeOf(d mailbox.Day) time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

package imapd

import (
	"context"
	"slices"
	"sort"

	"github.com/restante/restante/mailbox"
)

// Index knows the texts of messages, so that a search opens few of them or none. It
// is of one account: it is for a server that has no other. It must be safe for
// concurrent use.
type Index interface {
	// Look tells which messages of a set, which is ascending, have a text in one of
	// some places. It returns those that do and those of which it can't tell: all
	// others do not. The text is folded, as Texts folds, and not empty.
	Look(ctx context.Context, box mailbox.Mailbox, set []mailbox.UIDRange, text []byte, in Places) (has, may []mailbox.UIDRange)
}

// Places is where in a message a text may stand.
type Places uint8

// The places that the keys of SEARCH tell apart (RFC 9051, 6.4.4).
const (
	InBcc Places = 1 << iota // the addresses of a field, as a person would write them
	InCc
	InFrom
	InTo
	InSubject
	InHeader // a field of the header, or of a MIME header, with its name
	InBody
)

// envelopePlaces are where the keys of envelopeFields look.
var envelopePlaces = map[string]Places{"BCC": InBcc, "CC": InCc, "FROM": InFrom, "TO": InTo, "SUBJECT": InSubject}

// Texts calls f with all texts of a message in which a search looks, folded as they
// are compared. A text may come in pieces, of which the last is final; nothing is found
// across its end. f must not keep the octets. Errors are those of opening the message.
func Texts(ctx context.Context, i *mailbox.Item, f func(folded []byte, in Places, final bool)) error {
	o := &opened{ctx: ctx, item: i}
	defer o.release()
	info, err := o.info()
	if err != nil {
		return err
	}
	for key, of := range envelopeFields {
		f(foldString(of(&info.Envelope)), envelopePlaces[key], true)
	}
	block, err := o.headerBlock()
	if err != nil {
		return err
	}
	s := &textFolder{f: f}
	scanFields(s, block, true)
	return o.scanBody(s)
}

// textFolder gives texts on, folded.
type textFolder struct {
	f      func(folded []byte, in Places, final bool)
	folded []byte
	rest   []byte // of an unfinished character
	buf    [16 << 10]byte
}

var _ textSink = (*textFolder)(nil)

func (s *textFolder) look(text []byte, header, final bool) {
	if len(s.rest) > 0 {
		text = slices.Concat(s.rest, text)
	}
	var rest []byte
	s.folded, rest = fold(s.folded[:0], text, final)
	s.rest = append(s.rest[:0], rest...)
	in := InBody
	if header {
		in = InHeader
	}
	s.f(s.folded, in, final)
}

func (s *textFolder) done() bool   { return false }
func (s *textFolder) room() []byte { return s.buf[:] }

// indexed is a condition that holds only for messages with a text in them.
type indexed struct {
	condition
	text  []byte
	in    Places
	exact bool // and for all that have it

	asked    bool
	has, may []mailbox.UIDRange // what the index said
}

// withText makes a condition known to the index.
func withText(c condition, text []byte, in Places, exact bool) condition {
	if len(text) == 0 {
		return c
	}
	return &indexed{condition: c, text: text, in: in, exact: exact}
}

func (x *indexed) judge(m *candidate, s stage) (verdict, error) {
	switch {
	case !x.asked || s < stageIndex:
	case holds(x.has, m.row.UID):
		if x.exact {
			return accepted, nil
		}
	case !holds(x.may, m.row.UID):
		return rejected, nil
	}
	return x.condition.judge(m, s)
}

// holds reports whether uid is in ascending ranges.
func holds(set []mailbox.UIDRange, uid mailbox.UID) bool {
	i := sort.Search(len(set), func(i int) bool { return set[i].High >= uid })
	return i < len(set) && set[i].Low <= uid
}

// consult asks the index about the conditions of a program, for the messages of a
// set. It returns those for which the condition may hold, as far as that is known.
func (c *conn) consult(cond condition, set []mailbox.UIDRange) []mailbox.UIDRange {
	switch cond := cond.(type) {
	case *indexed:
		cond.has, cond.may = c.srv.o.Index.Look(c.ctx, c.sel.table.View().Mailbox, set, cond.text, cond.in)
		cond.asked = true
		return union(slices.Concat(cond.has, cond.may))
	case every:
		for _, one := range cond {
			set = c.consult(one, set)
		}
	case either:
		var some []mailbox.UIDRange
		for _, one := range cond {
			some = append(some, c.consult(one, set)...)
		}
		return union(some)
	case not:
		c.consult(cond.condition, set)
	}
	return set
}

// union returns the messages of ranges in any order, in ascending ranges.
func union(ranges []mailbox.UIDRange) []mailbox.UIDRange {
	slices.SortFunc(ranges, func(a, b mailbox.UIDRange) int { return int(int64(a.Low) - int64(b.Low)) })
	var merged []mailbox.UIDRange
	for _, r := range ranges {
		if n := len(merged); n > 0 && int64(r.Low) <= int64(merged[n-1].High)+1 {
			merged[n-1].High = max(merged[n-1].High, r.High)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// askIndex judges the messages of a set by what the index knows. It returns those
// that hold, and the set of those that are still to be opened.
func (c *conn) askIndex(p *program, set uidSet) (hits []hit, open uidSet) {
	if c.srv.o.Index == nil {
		return nil, set
	}
	c.consult(p.root, set)
	var m candidate
	for number, row := range c.sel.rows(set) {
		m.number, m.row = number, row
		switch v, _ := p.root.judge(&m, stageIndex); v { // nothing is opened that could fail
		case accepted:
			hits = append(hits, hit{number, row.UID, row.ModSeq})
		case undecided:
			open.add(row.UID)
		}
	}
	return hits, open
}

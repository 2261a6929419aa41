package imapd

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// errBadCharset answers text in a charset that is not known (RFC 9051, 7.1).
var errBadCharset error = &statusError{
	typ: imap.StatusResponseTypeNo, code: imap.ResponseCodeBadCharset, args: []string{"US-ASCII", "UTF-8"},
	text: "Search in US-ASCII or UTF-8",
}

// errCharset answers a charset that contradicts ENABLE UTF8=ACCEPT (RFC 6855, 3).
var errCharset = bad("After ENABLE UTF8=ACCEPT all text is UTF-8: search without CHARSET")

// search is SEARCH (RFC 9051, 6.4.4).
func (c *conn) search(d *wire.Decoder) error { return c.runSearch(d, false) }

// uidSearch is UID SEARCH (RFC 9051, 6.4.9).
func (c *conn) uidSearch(d *wire.Decoder) error { return c.runSearch(d, true) }

func (c *conn) runSearch(d *wire.Decoder, byUID bool) error {
	d.SP()
	q := d.Search()
	if err := d.End(); err != nil {
		return err
	}
	if q.Charset != "" && c.enabled.noCharset {
		return errCharset
	}
	f, err := c.lookFor(&q, byUID)
	if err != nil {
		return c.searchFailed(&q, err)
	}
	c.answerSearch(&q, f)
	return nil
}

// lookFor finds what a search is for.
func (c *conn) lookFor(q *wire.Search, byUID bool) (*found, error) {
	if err := c.catchUp(); err != nil {
		return nil, err
	}
	f, err := c.lookIn(q)
	if f != nil {
		f.byUID = byUID
	}
	return f, err
}

// lookIn searches the mailbox as it is known.
func (c *conn) lookIn(q *wire.Search) (*found, error) {
	if q.Charset != "" && !plainCharset(q.Charset) {
		return nil, errBadCharset
	}
	p, err := c.scope().compile(&q.Key)
	if err != nil {
		return nil, err
	}
	if p.modseq {
		c.enableCondstore()
	}
	hits, err := c.find(p)
	return &found{hits: hits, modseq: p.modseq}, err
}

// searchFailed returns err. A search that was to be saved and fails leaves nothing
// saved (RFC 9051, 6.4.4.1).
func (c *conn) searchFailed(q *wire.Search, err error) error {
	if q.Return.Has(wire.ReturnSave) {
		c.saved = savedSearch{}
	}
	return err
}

func (c *conn) scope() searchScope {
	return searchScope{sel: c.sel, saved: c.saved.ranges(), rev2: c.enabled.rev2, uidOnly: c.enabled.uidOnly, now: time.Now(), keyword: c.keywordFlag}
}

// keywordFlag returns the flag of a keyword, told apart without regard to case, or
// 0 if no message has it.
func (c *conn) keywordFlag(name string) mailbox.Flags {
	for n := range mailbox.MaxKeywords {
		f := mailbox.KeywordFlag(n)
		for _, word := range c.session.Names(f) {
			if strings.EqualFold(word, name) {
				return f
			}
		}
	}
	return 0
}

// hit is one message that a search has found.
type hit struct {
	number uint32
	uid    mailbox.UID
	modseq mailbox.ModSeq
}

// find judges all messages that the client knows and returns those that hold, by
// number. A message that is gone, or that is damaged, is not found.
func (c *conn) find(p *program) ([]hit, error) {
	var hits []hit
	var open uidSet
	there := 0
	var m candidate
	for number, row := range c.sel.rows(mailbox.AllUIDs()) {
		there++
		m.number, m.row = number, row
		switch p.glance(&m) {
		case accepted:
			hits = append(hits, hit{number, row.UID, row.ModSeq})
		case undecided:
			open.add(row.UID)
		}
	}
	if there < len(c.sel.uids) {
		c.done.code = func() { c.writeCode(codeExpungeIssued) }
	}
	if len(open) == 0 {
		return hits, nil
	}
	known, open := c.askIndex(p, open)
	more, err := c.findOpen(p, open)
	if err != nil {
		return nil, err
	}
	hits = slices.Concat(hits, known, more)
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.number, b.number) })
	return hits, nil
}

// findOpen judges the messages of a set by what is in them.
func (c *conn) findOpen(p *program, set []mailbox.UIDRange) ([]hit, error) {
	if len(set) == 0 {
		return nil, nil
	}
	var hits []hit
	fetch := c.session.Fetch
	if len(p.needles) > 0 {
		fetch = c.session.FetchBodies
	}
	done, total := 0, c.count(set)
	err := fetch(c.ctx, c.sel.id, set, func(i *mailbox.Item) error {
		done++
		c.progress(done, total)
		at, known := c.sel.index(i.UID)
		row, there := c.sel.table.Row(i.UID)
		if !known || !there {
			return nil
		}
		m := &candidate{number: uint32(at) + 1, row: row, opened: opened{ctx: c.ctx, item: i}}
		defer m.release()
		ok, err := p.open(m)
		if ok {
			hits = append(hits, hit{m.number, row.UID, row.ModSeq})
		}
		if errors.Is(err, mailbox.ErrCorrupt) {
			c.log().Error("message not searched", "error", err)
			return nil
		}
		if errors.Is(err, mailbox.ErrGone) {
			return nil
		}
		return err
	})
	return hits, err
}

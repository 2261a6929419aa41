package imapd

import (
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// found is what a search has found, in the order in which it is told: of their
// numbers for SEARCH, of its criteria for an extension that sorts.
type found struct {
	hits   []hit
	byUID  bool
	modseq bool // tell the mod-sequence, because the search was for one

	where *mailbox.Folder // of a search that may be of several mailboxes; else nil
}

// number is what the client asked to be told of a hit.
func (f *found) number(h hit) uint32 {
	if f.byUID {
		return uint32(h.uid)
	}
	return h.number
}

func (f *found) numbers(hits []hit) []uint32 {
	list := make([]uint32, len(hits))
	for i, h := range hits {
		list[i] = f.number(h)
	}
	return list
}

// answerSearch tells what was found, as the client wants it, and saves it.
func (c *conn) answerSearch(q *wire.Search, f *found) {
	want := q.Return
	if !q.Extended && c.enabled.rev2 {
		want = wire.ReturnAll // RFC 9051, appendix E: the SEARCH response is gone
	}
	if want.Has(wire.ReturnSave) {
		c.saved = save(want, q.Partial, f.hits)
	}
	switch {
	case want == 0:
		c.writeFound("SEARCH", f)
	case f.where != nil && len(f.hits) == 0: // RFC 7377, 2.1
	case want != wire.ReturnSave: // alone, it tells nothing (RFC 5182, 2.1)
		c.writeESearch(want, q.Partial, f)
	}
}

// writeFound is the SEARCH response of RFC 3501, 7.2.5, or SORT of RFC 5256, 4.
func (c *conn) writeFound(name string, f *found) {
	c.w.Untagged()
	c.w.Word(name)
	for _, h := range f.hits {
		c.w.Number(uint64(f.number(h)))
	}
	if f.modseq && len(f.hits) > 0 {
		c.w.Open()
		c.w.Word("MODSEQ")
		c.w.Number(uint64(highest(f.hits)))
		c.w.Close()
	}
	c.sent(c.w.CRLF())
}

// writeESearch is the ESEARCH response (RFC 9051, 7.3.4).
func (c *conn) writeESearch(want wire.SearchReturn, part wire.Partial, f *found) {
	c.w.Untagged()
	c.w.Word("ESEARCH")
	c.w.Open()
	c.w.Word("TAG")
	c.w.String(c.tag)
	if f.where != nil {
		c.w.Word("MAILBOX")
		c.w.Mailbox(f.where.Name)
		c.w.Word("UIDVALIDITY")
		c.w.Number(uint64(f.where.Mailbox.UIDValidity))
	}
	c.w.Close()
	if f.byUID {
		c.w.Word("UID")
	}
	n := len(f.hits)
	if want.Has(wire.ReturnMin) && n > 0 {
		c.w.Word("MIN")
		c.w.Number(uint64(f.number(f.hits[0])))
	}
	if want.Has(wire.ReturnMax) && n > 0 {
		c.w.Word("MAX")
		c.w.Number(uint64(f.number(f.hits[n-1])))
	}
	if want.Has(wire.ReturnAll) && n > 0 {
		c.w.Word("ALL")
		c.w.Nums(f.numbers(f.hits))
	}
	if want.Has(wire.ReturnCount) {
		c.w.Word("COUNT")
		c.w.Number(uint64(n))
	}
	if want.Has(wire.ReturnPartial) {
		c.writePartial(part, f)
	}
	if told := pick(want, part, f.hits); f.modseq && len(told) > 0 {
		c.w.Word("MODSEQ")
		c.w.Number(uint64(highest(told)))
	}
	c.sent(c.w.CRLF())
}

// writePartial tells a part of the result (RFC 9394, 3.1).
func (c *conn) writePartial(part wire.Partial, f *found) {
	c.w.Word("PARTIAL")
	c.w.Open()
	c.w.Partial(part)
	if hits := partOf(part, f.hits); len(hits) > 0 {
		c.w.Nums(f.numbers(hits))
	} else {
		c.w.Nil()
	}
	c.w.Close()
}

// partOf returns the hits of a partial-range.
func partOf(part wire.Partial, hits []hit) []hit {
	low, high := bounds(part, len(hits))
	return hits[low:high]
}

// pick returns the hits that the wanted results are about: all of them, unless
// only the first, the last or a part was asked for (RFC 5182, 2.1, and RFC 7162,
// 3.1.10).
func pick(want wire.SearchReturn, part wire.Partial, hits []hit) []hit {
	want &^= wire.ReturnSave
	n := len(hits)
	if n == 0 || want == 0 || want&(wire.ReturnAll|wire.ReturnCount) != 0 {
		return hits
	}
	var picked []hit
	if want.Has(wire.ReturnMin) {
		picked = append(picked, hits[0])
	}
	if want.Has(wire.ReturnPartial) {
		picked = append(picked, partOf(part, hits)...)
	}
	if want.Has(wire.ReturnMax) {
		picked = append(picked, hits[n-1])
	}
	return picked
}

func highest(hits []hit) mailbox.ModSeq {
	var m mailbox.ModSeq
	for _, h := range hits {
		m = max(m, h.modseq)
	}
	return m
}

// save makes "$" of the hits that are to be saved.
func save(want wire.SearchReturn, part wire.Partial, hits []hit) savedSearch {
	var uids []mailbox.UID
	for _, h := range pick(want, part, hits) {
		uids = append(uids, h.uid)
	}
	slices.Sort(uids)
	var set uidSet
	for _, uid := range slices.Compact(uids) {
		set.add(uid)
	}
	return savedSearch{set}
}

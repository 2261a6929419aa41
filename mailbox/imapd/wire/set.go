package wire

import (
	"cmp"
	"slices"
	"sort"
)

// A Range is the numbers from First to Last, both included. In a Set as read,
// Last may be zero, for "*"; the range {0, 0} is "*" alone.
type Range struct {
	First, Last uint32
}

// A Set is a sequence-set: message sequence numbers or UIDs. This package has
// its own type where go-imap has SeqSet and UIDSet, because theirs answer
// whether "n:*" contains a number without knowing what "*" is.
type Set struct {
	// Ranges are sorted and apart from each other; a range with "*" comes last.
	Ranges []Range
	// Saved stands for "$", the result of the last SEARCH (RFC 5182). Ranges is
	// empty then.
	Saved bool
}

// IsZero reports whether nothing was read.
func (s Set) IsZero() bool { return len(s.Ranges) == 0 && !s.Saved }

// Dynamic reports whether the set holds "*" or is "$", which some commands
// forbid (known-uids of RFC 7162).
func (s Set) Dynamic() bool {
	return s.Saved || len(s.Ranges) > 0 && s.Ranges[len(s.Ranges)-1].Last == 0
}

// Resolve returns the ranges for a mailbox in which "*" is last: sorted, apart,
// and without numbers above last. With last zero, an empty mailbox, it returns
// nil. "n:*" always includes last, even if n is larger (RFC 9051, 9).
func (s Set) Resolve(last uint32) Ranges {
	if last == 0 {
		return nil
	}
	out := make(Ranges, 0, len(s.Ranges))
	for _, g := range s.Ranges {
		if g.Last == 0 {
			g = Range{min(cmp.Or(g.First, last), last), last}
		}
		if g.First <= last {
			out = out.add(Range{g.First, min(g.Last, last)})
		}
	}
	return out
}

// Ranges are numbers as static ranges, sorted and apart from each other.
type Ranges []Range

// Contains reports whether n is in one of the ranges, in logarithmic time.
func (r Ranges) Contains(n uint32) bool {
	i := sort.Search(len(r), func(i int) bool { return r[i].Last >= n })
	return i < len(r) && r[i].First <= n
}

// Count returns how many numbers there are.
func (r Ranges) Count() uint64 {
	var n uint64
	for _, g := range r {
		n += uint64(g.Last-g.First) + 1
	}
	return n
}

// add appends g, which starts no earlier than any range before it except the
// last ones, merging those that it meets.
func (r Ranges) add(g Range) Ranges {
	for len(r) > 0 {
		last := r[len(r)-1]
		if uint64(last.Last)+1 < uint64(g.First) {
			break
		}
		g = Range{min(last.First, g.First), max(last.Last, g.Last)}
		r = r[:len(r)-1]
	}
	return append(r, g)
}

// Set reads a sequence-set, or "$".
func (d *Decoder) Set() Set {
	if d.Special('$') {
		return Set{Saved: true}
	}
	var ranges []Range
	for more := true; more && d.err == nil; more = d.Special(',') {
		ranges = append(ranges, d.setRange())
	}
	if d.err != nil {
		return Set{}
	}
	return Set{Ranges: normal(ranges)}
}

// setRange reads seq-number or seq-range, the larger number last; "*" is
// larger than any.
func (d *Decoder) setRange() Range {
	a := d.setNumber()
	b := a
	if d.Special(':') {
		b = d.setNumber()
	}
	if a == 0 || b != 0 && b < a {
		a, b = b, a
	}
	return Range{a, b}
}

func (d *Decoder) setNumber() uint32 {
	if d.Special('*') {
		return 0
	}
	return d.NzNumber()
}

// normal sorts the ranges and merges those that meet. Of several with "*" one
// is left: the one that starts first includes the others in any mailbox.
func normal(ranges []Range) []Range {
	star := Range{}
	dynamic := false
	out := ranges[:0]
	for _, g := range ranges {
		if g.Last != 0 {
			out = append(out, g)
			continue
		}
		if !dynamic || g.First != 0 && (star.First == 0 || g.First < star.First) {
			star = g
		}
		dynamic = true
	}
	out = merge(out)
	if dynamic {
		out = append(out, star)
	}
	return out
}

// merge sorts static ranges, if they are not sorted, and joins those that meet.
func merge(in []Range) []Range {
	byFirst := func(a, b Range) int { return cmp.Compare(a.First, b.First) }
	if !slices.IsSortedFunc(in, byFirst) {
		slices.SortFunc(in, byFirst)
	}
	out := Ranges(in[:0])
	for _, g := range in {
		out = out.add(g)
	}
	return out
}

// Set writes a sequence-set. An empty one cannot be written.
func (e *Encoder) Set(s Set) {
	if s.Saved {
		e.Word("$")
		return
	}
	e.Ranges(s.Ranges)
}

// Ranges writes ranges as a sequence-set. No ranges cannot be written.
func (e *Encoder) Ranges(ranges []Range) {
	if len(ranges) == 0 {
		e.fail("a set of numbers is empty")
		return
	}
	e.sep()
	for i, g := range ranges {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = appendBound(e.b, g.First)
		if g.Last != g.First {
			e.b = appendBound(append(e.b, ':'), g.Last)
		}
	}
}

// Nums writes numbers as a sequence-set, in their order, with runs that ascend
// by one as ranges: in COPYUID the order carries meaning (RFC 4315, 3). No
// numbers cannot be written, nor can zero.
func (e *Encoder) Nums(nums []uint32) {
	if len(nums) == 0 {
		e.fail("a set of numbers is empty")
		return
	}
	e.sep()
	for i := 0; i < len(nums); {
		first := nums[i]
		last := first
		for i++; i < len(nums) && nums[i] == last+1 && nums[i] != 0; i++ {
			last = nums[i]
		}
		e.numRange(first, last)
		if i < len(nums) {
			e.b = append(e.b, ',')
		}
	}
}

func (e *Encoder) numRange(first, last uint32) {
	if first == 0 {
		e.fail("a set of numbers holds zero")
	}
	e.b = appendUint(e.b, uint64(first))
	if last != first {
		e.b = appendUint(append(e.b, ':'), uint64(last))
	}
}

// appendBound appends a number of a set, of which zero is "*".
func appendBound(b []byte, n uint32) []byte {
	if n == 0 {
		return append(b, '*')
	}
	return appendUint(b, uint64(n))
}

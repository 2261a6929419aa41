package wire

// The most symbols that codes of DEFLATE have, and the longest of their codes
// (RFC 1951, 3.2.5 and 3.2.7).
const (
	maxLits       = 286
	maxDists      = 30
	maxCodeLength = 15
)

// tables are the codes of a block, and what of them has come while they do.
type tables struct {
	lits  huffman
	dists huffman // first that for the code lengths

	nlits, ndists, norder int
	have                  int // lengths read
	lengths               [maxLits + maxDists]uint8
}

// dynamic makes the codes that the block has brought.
func (t *tables) dynamic() error {
	if t.lengths[endOfBlock] == 0 {
		return errInflate // it would never end
	}
	if err := t.lits.build(t.lengths[:t.nlits]); err != nil {
		return err
	}
	return t.dists.build(t.lengths[t.nlits : t.nlits+t.ndists])
}

// fixed makes the codes of RFC 1951, 3.2.6.
func (t *tables) fixed() error {
	var lengths [maxFixed]uint8
	for s := range lengths {
		switch {
		case s < 144:
			lengths[s] = 8
		case s < 256:
			lengths[s] = 9
		case s < 280:
			lengths[s] = 7
		default:
			lengths[s] = 8
		}
	}
	if err := t.lits.build(lengths[:]); err != nil {
		return err
	}
	for s := range lengths[:32] {
		lengths[s] = 5
	}
	return t.dists.build(lengths[:32])
}

// maxFixed counts two symbols that the fixed code has and nobody may use.
const maxFixed = maxLits + 2

// huffman is a canonical code: how many codes there are of each length, and the
// symbols in the order of their codes (RFC 1951, 3.2.2).
type huffman struct {
	count  [maxCodeLength + 1]uint16
	symbol [maxFixed]uint16
}

// build makes the code of the lengths of its symbols, 0 for those it lacks. A code
// that has more codes than bits is refused; one that has fewer fails once a code is
// read that it lacks.
func (h *huffman) build(lengths []uint8) error {
	h.count = [maxCodeLength + 1]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	h.count[0] = 0
	var next [maxCodeLength + 2]uint16
	room := 1
	for n := 1; n <= maxCodeLength; n++ {
		room = 2*room - int(h.count[n])
		if room < 0 {
			return errInflate
		}
		next[n+1] = next[n] + h.count[n]
	}
	for s, n := range lengths {
		if n > 0 {
			h.symbol[next[n]] = uint16(s)
			next[n]++
		}
	}
	return nil
}

// decode reads a symbol, bit by bit: the first code of each length follows from
// the last one of the length before.
func (f *Inflater) decode(h *huffman) (int, error) {
	code, first, index := 0, 0, 0
	for n := 1; n <= maxCodeLength; n++ {
		bit, err := f.take(1)
		if err != nil {
			return 0, err
		}
		code |= bit
		count := int(h.count[n])
		if code-first < count {
			return int(h.symbol[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, errInflate
}

// extraBits is what a symbol stands for: a number from base on, and how many bits say
// how much more.
type extraBits struct {
	base  uint16
	extra uint8
}

var (
	copyLengths   = makeCopyLengths()
	copyDistances = makeSpans(maxDists, 1, 2)
)

// makeSpans numbers spans that double after every so many symbols, following as
// many (and once more) that stand for themselves.
func makeSpans(n, base, perExtra int) []extraBits {
	spans := make([]extraBits, n)
	for s := range spans {
		extra := max(0, s/perExtra-1)
		spans[s] = extraBits{uint16(base), uint8(extra)}
		base += 1 << extra
	}
	return spans
}

// makeCopyLengths ends with the longest copy, which has a symbol of its own.
func makeCopyLengths() []extraBits {
	return append(makeSpans(28, 3, 4), extraBits{base: 258})
}

package wire

import "strings"

// A Pattern is a mailbox pattern made ready for matching many names. It is
// immutable and safe for concurrent use.
//
// The pattern is an automaton with one state for each count of literal bytes
// matched; a state that stands before a wildcard may keep itself. All states
// step at once, as bits of words, so matching takes time in proportion to the
// name, whatever the pattern (RFC 9051, 6.3.9).
type Pattern struct {
	words int      // words per set of states
	step  []uint64 // 256 sets: the states that a byte leads on from
	star  []uint64 // the states that any byte keeps
	pct   []uint64 // the states that any byte but the delimiter keeps
	last  int      // the state in which a name matches
	delim byte
	inbox bool // the pattern matches INBOX in some spelling
}

// CompilePattern makes a pattern ready. In pattern and names delim separates
// the levels of the hierarchy; zero stands for a flat one, where "%" and "*"
// are the same.
func CompilePattern(pattern string, delim byte) *Pattern {
	p := newPattern(pattern, delim)
	p.inbox = newPattern(strings.ToUpper(pattern), delim).run(inbox)
	return p
}

func newPattern(pattern string, delim byte) *Pattern {
	literals := len(pattern) - strings.Count(pattern, "%") - strings.Count(pattern, "*")
	w := literals/64 + 1
	p := &Pattern{words: w, last: literals, delim: delim}
	table := make([]uint64, (256+2)*w)
	p.step, p.star, p.pct = table[:256*w], table[256*w:257*w], table[257*w:]
	state := 0
	for i := 0; i < len(pattern); i++ {
		word, bit := state/64, uint64(1)<<(state%64)
		switch c := pattern[i]; c {
		case '*':
			p.star[word] |= bit
		case '%':
			p.pct[word] |= bit
		default:
			p.step[int(c)*w+word] |= bit
			state++
		}
	}
	return p
}

// Match reports whether the pattern matches the whole name. INBOX matches in
// any spelling of the pattern.
func (p *Pattern) Match(name string) bool {
	if name == inbox {
		return p.inbox
	}
	return p.run(name)
}

func (p *Pattern) run(name string) bool {
	var small [4]uint64
	states := small[:]
	if p.words > len(small) {
		states = make([]uint64, p.words)
	}
	states = states[:p.words]
	states[0] = 1
	for i := 0; i < len(name); i++ {
		p.next(states, name[i])
	}
	return states[p.last/64]>>(p.last%64)&1 != 0
}

// next replaces the set of states by the set after the byte c.
func (p *Pattern) next(states []uint64, c byte) {
	step := p.step[int(c)*p.words:][:p.words]
	crosses := c == p.delim && p.delim != 0
	var carry uint64
	for i, s := range states {
		on := s & step[i]
		keep := s & p.star[i]
		if !crosses {
			keep |= s & p.pct[i]
		}
		states[i] = keep | on<<1 | carry
		carry = on >> 63
	}
}

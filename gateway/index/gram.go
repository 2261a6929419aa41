package index

import "github.com/restante/restante/mailbox/imapd"

// gram is three octets that follow each other in a text, and in which half of a
// message: key order is the order of a block's pages.
type gram uint32

const (
	gramSize  = 3
	bodyGram  = gram(1 << 24) // set in grams of the body
	gramCount = 1 << 25

	inHeaders = imapd.InBcc | imapd.InCc | imapd.InFrom | imapd.InTo | imapd.InSubject | imapd.InHeader
)

func gramOf(b []byte) gram { return gram(b[0])<<16 | gram(b[1])<<8 | gram(b[2]) }

// mostAsked is how many grams of a text are looked up in each block. More would
// leave fewer messages to be read, and cost more than that saves.
const mostAsked = 8

// gramsOf returns the grams to look up for a text, from all over it. There are none
// of a text that is shorter than a gram.
func gramsOf(text []byte) []gram {
	n := len(text) - gramSize + 1
	var list []gram
	for i := range min(n, mostAsked) {
		at := i
		if n > mostAsked {
			at = i * (n - 1) / (mostAsked - 1)
		}
		list = append(list, gramOf(text[at:]))
	}
	return list
}

// gramSet gathers the distinct grams of one message.
type gramSet struct {
	seen [gramCount / 64]uint64
	list []gram
	tail []byte // the end of an unfinished text
	full bool   // there were more than maxGrams
}

// maxGrams is how many distinct grams a message may have. One with more is a
// candidate for every search.
const maxGrams = 1 << 18

// add takes in a piece of a text of one half of the message.
func (s *gramSet) add(piece []byte, half gram, final bool) {
	s.put(append(s.tail, piece[:min(len(piece), gramSize-1)]...), half) // across the seam
	s.put(piece, half)
	switch {
	case final:
		s.tail = s.tail[:0]
	case len(piece) >= gramSize-1:
		s.tail = append(s.tail[:0], piece[len(piece)-gramSize+1:]...)
	default:
		s.tail = append(s.tail, piece...)
		s.tail = s.tail[max(0, len(s.tail)-gramSize+1):]
	}
}

func (s *gramSet) put(text []byte, half gram) {
	for i := 0; i+gramSize <= len(text) && !s.full; i++ {
		g := gramOf(text[i:]) | half
		word, bit := g/64, uint64(1)<<(g%64)
		if s.seen[word]&bit == 0 {
			s.seen[word] |= bit
			s.list = append(s.list, g)
			s.full = len(s.list) == maxGrams
		}
	}
}

// reset makes the set ready for another message.
func (s *gramSet) reset() {
	for _, g := range s.list {
		s.seen[g/64] = 0
	}
	s.list, s.tail, s.full = s.list[:0], s.tail[:0], false
}

package index

import (
	"encoding/binary"
	"slices"
)

// pageWriter makes pages of entries that come in order of grams.
type pageWriter struct {
	docs  int
	pages []byte
	first []gram
	entry []byte
}

func (w *pageWriter) add(g gram, list []uint16) {
	w.entry = binary.BigEndian.AppendUint32(w.entry[:0], uint32(g)+1)
	w.entry = appendPostings(w.entry, list, w.docs)
	if used := len(w.pages) % pageSize; used == 0 || used+len(w.entry) > pageSize {
		w.finish()
		w.first = append(w.first, g)
	}
	w.pages = append(w.pages, w.entry...)
}

// finish fills the last page with zeroes.
func (w *pageWriter) finish() {
	if rest := len(w.pages) % pageSize; rest > 0 {
		w.pages = append(w.pages, make([]byte, pageSize-rest)...)
	}
}

// lookUp finds a gram in its page. It returns which messages have it, and false if
// the page is not one.
func lookUp(page []byte, g gram, docs int) (docSet, bool) {
	for len(page) > 5 {
		at := binary.BigEndian.Uint32(page)
		if at == 0 || at > uint32(g)+1 {
			return docSet{}, true
		}
		if at == uint32(g)+1 {
			return readPostings(page[4:], docs)
		}
		size := 5 + postingsSize(page[4], docs)
		if size > len(page) {
			return docSet{}, false
		}
		page = page[size:]
	}
	return docSet{}, true
}

// pageOf returns which page has a gram, if any has: -1 if none.
func (b *block) pageOf(g gram) int {
	i, found := slices.BinarySearch(b.first, g)
	if found {
		return i
	}
	return i - 1
}

package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/mailbox/seal"
)

var _ imapd.Index = (*Index)(nil)

// finding is what a block tells of a message. Where two blocks cover one, the higher
// one counts.
type finding byte

const (
	unknown finding = iota
	hasNot
	mayHave
	hasIt
)

// Look implements imapd.Index. What can't be read counts as unknown.
func (ix *Index) Look(ctx context.Context, box mailbox.Mailbox, set []mailbox.UIDRange, text []byte, in imapd.Places) (has, may []mailbox.UIDRange) {
	uids := expand(set)
	findings := make([]finding, len(uids))
	var mu sync.Mutex
	q := query{text: text, in: in, grams: gramsOf(text)}
	eachOf(ix.of(box.ID), func(b *block) {
		if b.validity != box.UIDValidity || ctx.Err() != nil {
			return
		}
		found, err := ix.search(b, q)
		if err != nil {
			ix.lose(b, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		merge(findings, uids, b, found)
	})
	return collect(uids, findings)
}

// eachOf calls f for each block, of as many at a time as there are processors.
func eachOf(blocks []*block, f func(*block)) {
	next := make(chan *block)
	var workers sync.WaitGroup
	for range min(len(blocks), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for b := range next {
				f(b)
			}
		})
	}
	for _, b := range blocks {
		next <- b
	}
	close(next)
	workers.Wait()
}

func expand(set []mailbox.UIDRange) []mailbox.UID {
	var uids []mailbox.UID
	for _, r := range set {
		for uid := int64(r.Low); uid <= int64(r.High); uid++ {
			uids = append(uids, mailbox.UID(uid))
		}
	}
	return uids
}

// merge enters what a block tells of its messages. Both lists are ascending.
func merge(findings []finding, uids []mailbox.UID, b *block, found []finding) {
	at := 0
	for n, d := range b.docs {
		i, ok := slices.BinarySearch(uids[at:], d.uid)
		if at += i; ok {
			findings[at] = max(findings[at], found[n])
		}
	}
}

// collect makes ranges of what was found. Of what is unknown any message may have it.
func collect(uids []mailbox.UID, findings []finding) (has, may []mailbox.UIDRange) {
	for i, f := range findings {
		switch f {
		case hasIt:
			has = push(has, uids[i])
		case unknown, mayHave:
			may = push(may, uids[i])
		}
	}
	return has, may
}

func push(set []mailbox.UIDRange, uid mailbox.UID) []mailbox.UIDRange {
	if n := len(set); n > 0 && set[n-1].High+1 == uid {
		set[n-1].High = uid
		return set
	}
	return append(set, mailbox.UIDRange{Low: uid, High: uid})
}

// query is what is looked for.
type query struct {
	text  []byte
	in    imapd.Places
	grams []gram
}

// lose forgets a block that can't be read, so that Update makes what was in it again.
func (ix *Index) lose(b *block, err error) {
	if errors.Is(err, vault.ErrNoRecord) || errors.Is(err, vault.ErrDamaged) || errors.Is(err, errBlock) || errors.Is(err, seal.ErrOpen) {
		_ = ix.remove(b) // a file that stays is removed at the next start
	}
}

// search looks into one block.
func (ix *Index) search(b *block, q query) ([]finding, error) {
	blob, err := ix.vault.OpenBlob(kind, b.name)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	candidates, err := b.candidates(blob, q)
	if err != nil {
		return nil, err
	}
	found := make([]finding, len(b.docs))
	w := window{r: blob, end: b.end}
	for n, d := range b.docs {
		found[n] = hasNot
		if !candidates.has(n) && d.flags&docWild == 0 {
			continue
		}
		texts, err := w.read(b.textsOf(n))
		switch {
		case err != nil:
			return nil, err
		case q.matches(texts):
			found[n] = hasIt
		case d.flags&docCut != 0:
			found[n] = mayHave
		}
	}
	return found, nil
}

// candidates returns which messages have all grams of the text, in one of its places.
func (b *block) candidates(r io.ReaderAt, q query) (set docSet, err error) {
	if len(q.grams) == 0 {
		for n := range b.docs {
			set.add(n)
		}
		return set, nil
	}
	for _, half := range []struct {
		in  imapd.Places
		bit gram
	}{{inHeaders, 0}, {imapd.InBody, bodyGram}} {
		if q.in&half.in == 0 {
			continue
		}
		some, err := b.withAll(r, q.grams, half.bit)
		if err != nil {
			return set, err
		}
		set.or(&some)
	}
	return set, nil
}

// withAll returns which messages have all of some grams in one half.
func (b *block) withAll(r io.ReaderAt, grams []gram, half gram) (set docSet, err error) {
	var page [pageSize]byte
	for i, g := range grams {
		n := b.pageOf(g | half)
		if n < 0 {
			return docSet{}, nil
		}
		if _, err := r.ReadAt(page[:], b.pages+int64(n)*pageSize); err != nil && err != io.EOF {
			return set, err
		}
		with, ok := lookUp(page[:], g|half, len(b.docs))
		if !ok {
			return set, errBlock
		}
		if i == 0 {
			set = with
		}
		if set.and(&with); set.empty() {
			break
		}
	}
	return set, nil
}

// matches reports whether the text is in one of its places in a message's texts.
func (q query) matches(texts []byte) bool {
	for len(texts) > pieceHead {
		in, n := imapd.Places(texts[0]), int64(binary.BigEndian.Uint32(texts[1:]))
		texts = texts[pieceHead:]
		n = min(n, int64(len(texts)))
		if in&q.in != 0 && bytes.Contains(texts[:n], q.text) {
			return true
		}
		texts = texts[n:]
	}
	return false
}

// windowSize is the size of the pieces in which a sealed file is opened.
const windowSize = 64 << 10

// window reads texts in ascending order, and opens each piece of the file once.
type window struct {
	r   io.ReaderAt
	end int64
	buf []byte
	off int64 // of buf
}

// read returns the octets from off to end, until the next call.
func (w *window) read(off, end int64) ([]byte, error) {
	if off < w.off || end > w.off+int64(len(w.buf)) {
		upTo := min(w.end, (end+windowSize-1)/windowSize*windowSize)
		w.buf, w.off = slices.Grow(w.buf[:0], int(upTo-off))[:upTo-off], off
		if _, err := w.r.ReadAt(w.buf, off); err != nil && err != io.EOF {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	return w.buf[off-w.off : end-w.off], nil
}

package index

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
)

// What a block may become in the making: it is in memory then.
const (
	mostPostings = 1 << 20  // of 8 bytes each
	mostTexts    = 4 << 20  // bytes, but for those of the last message
	mostDocTexts = 64 << 10 // bytes of one message
	pieceHead    = 1 + 4    // places and length of a text
)

// builder makes a block.
type builder struct {
	grams    gramSet
	postings []uint64 // gram << 16 | message
	texts    []byte
	docs     []newDoc
	most     int // messages

	docStart int // of the texts of the message at hand
	piece    int // where its unfinished text begins; 0 is none
	cut      bool
}

type newDoc struct {
	uid   mailbox.UID
	flags byte
	size  int
}

// newBuilder returns a builder of blocks of at most so many messages, with its memory: what grows
// step by step leaves as much garbage.
func newBuilder(most int) *builder {
	return &builder{most: most, postings: make([]uint64, 0, mostPostings+maxGrams), texts: make([]byte, 0, mostTexts+mostDocTexts)}
}

func (b *builder) full() bool {
	return len(b.docs) == b.most || len(b.postings) >= mostPostings || len(b.texts) >= mostTexts
}

// index takes in a message. One that does not open, or is gone, is left out.
func (b *builder) index(ctx context.Context, i *mailbox.Item) error {
	b.grams.reset()
	b.docStart, b.piece, b.cut = len(b.texts), 0, false
	err := imapd.Texts(ctx, i, b.text)
	if err != nil {
		b.texts = b.texts[:b.docStart]
		if errors.Is(err, mailbox.ErrCorrupt) || errors.Is(err, mailbox.ErrGone) {
			return nil
		}
		return fmt.Errorf("index a message: %w", err)
	}
	b.endDoc(i.UID)
	return nil
}

// text takes in a piece of a text.
func (b *builder) text(folded []byte, in imapd.Places, final bool) {
	half := gram(0)
	if in == imapd.InBody {
		half = bodyGram
	}
	b.grams.add(folded, half, final)
	b.keep(folded, in, final)
}

// keep keeps a piece of a text, as far as there is room.
func (b *builder) keep(folded []byte, in imapd.Places, final bool) {
	room := mostDocTexts - (len(b.texts) - b.docStart)
	if b.piece == 0 && len(folded) > 0 && room > pieceHead {
		room -= pieceHead
		b.piece = len(b.texts) + pieceHead
		b.texts = append(b.texts, byte(in), 0, 0, 0, 0)
	}
	if b.piece == 0 {
		b.cut = b.cut || len(folded) > 0
		return
	}
	b.cut = b.cut || len(folded) > room
	b.texts = append(b.texts, folded[:min(room, len(folded))]...)
	if final {
		binary.BigEndian.PutUint32(b.texts[b.piece-4:], uint32(len(b.texts)-b.piece))
		b.piece = 0
	}
}

func (b *builder) endDoc(uid mailbox.UID) {
	d := newDoc{uid: uid, size: len(b.texts) - b.docStart}
	if b.cut {
		d.flags |= docCut
	}
	if b.grams.full {
		d.flags |= docWild
		b.grams.reset()
	}
	for _, g := range b.grams.list {
		b.postings = append(b.postings, uint64(g)<<16|uint64(len(b.docs)))
	}
	b.docs = append(b.docs, d)
}

// write keeps what was taken in as a block, and begins another.
func (b *builder) write(ix *Index, box mailbox.Mailbox) error {
	if len(b.docs) == 0 {
		return nil
	}
	w := b.makePages()
	head := appendHead(nil, box, b.full(), b.docs, w.first)
	name := rand.Text()
	content := io.MultiReader(bytes.NewReader(head), bytes.NewReader(w.pages), bytes.NewReader(b.texts))
	if err := ix.vault.PutBlob(kind, name, content, int64(len(head)+len(w.pages)+len(b.texts))); err != nil {
		return fmt.Errorf("write search index: %w", err)
	}
	made, err := readBlock(name, bytes.NewReader(head))
	if err != nil {
		return fmt.Errorf("restante: internal error: a block that was just made: %w", err)
	}
	ix.add(made)
	b.postings, b.texts, b.docs = b.postings[:0], b.texts[:0], b.docs[:0]
	return nil
}

// makePages sorts the postings into pages.
func (b *builder) makePages() *pageWriter {
	slices.Sort(b.postings)
	w := &pageWriter{docs: len(b.docs)}
	var list []uint16
	for i, p := range b.postings {
		list = append(list, uint16(p))
		if i+1 == len(b.postings) || b.postings[i+1]>>16 != p>>16 {
			w.add(gram(p>>16), list)
			list = list[:0]
		}
	}
	w.finish()
	return w
}

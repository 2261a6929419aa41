package index

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/restante/restante/mailbox"
)

// A block's file has, inside its seal:
//
//	version (1 byte, 1), length of the head (4), the head:
//	    mailbox (8), UIDVALIDITY (4), whether there was no more room (1), messages (4), pages (4),
//	    for each message: UID (4), flags (1), length of its texts (4),
//	    for each page: its first gram (4)
//	pages of 8 KiB, beginning at a multiple of that; each has entries in order of grams,
//	    none across two pages, and zeroes:
//	    gram (4) plus one, length (1), and which messages have it (postings)
//	the texts of the messages, one after another: each as places (1), length (4), octets
//
// Numbers are big-endian.
const (
	version   = 1
	pageSize  = 8 << 10
	headStart = 1 + 4
	headFixed = 8 + 4 + 1 + 4 + 4
	docSize   = 4 + 1 + 4
	mostDocs  = 1024
	mostHead  = headFixed + mostDocs*docSize + mostPages*4
	mostPages = 1 << 14
)

// Flags of a message in a block.
const (
	docWild = 1 << iota // it has too many grams for them to be kept
	docCut              // only the first of its texts are kept
)

// errBlock says that a block does not have this form. Update makes another one.
var errBlock = errors.New("not a block of the search index")

// block is what is kept in memory of a block: no text and no gram but the first of
// each page. It never changes.
type block struct {
	name     string // in the vault
	mailbox  mailbox.MailboxID
	validity uint32
	full     bool
	docs     []doc // ascending by UID
	first    []gram
	pages    int64 // where they begin
	end      int64 // of the texts
}

// doc is a message in a block.
type doc struct {
	uid   mailbox.UID
	flags byte
	texts int64 // where they begin; they end where those of the next begin
}

// textsOf returns where the texts of a message lie.
func (b *block) textsOf(n int) (off, end int64) {
	if n+1 < len(b.docs) {
		return b.docs[n].texts, b.docs[n+1].texts
	}
	return b.docs[n].texts, b.end
}

// readBlock reads the head of a block.
func readBlock(name string, r io.ReaderAt) (*block, error) {
	var start [headStart]byte
	if _, err := r.ReadAt(start[:], 0); err != nil {
		return nil, errors.Join(errBlock, err)
	}
	n := binary.BigEndian.Uint32(start[1:])
	if start[0] != version || n < headFixed || n > mostHead {
		return nil, errBlock
	}
	head := make([]byte, n)
	if _, err := r.ReadAt(head, headStart); err != nil {
		return nil, errors.Join(errBlock, err)
	}
	return parseHead(name, head)
}

func parseHead(name string, head []byte) (*block, error) {
	if len(head) < headFixed {
		return nil, errBlock
	}
	b := &block{
		name: name, mailbox: mailbox.MailboxID(binary.BigEndian.Uint64(head)), validity: binary.BigEndian.Uint32(head[8:]),
		full: head[12] != 0, pages: alignUp(headStart + int64(len(head))),
	}
	docs, pages := int(binary.BigEndian.Uint32(head[13:])), int(binary.BigEndian.Uint32(head[17:]))
	if docs > mostDocs || pages > mostPages || len(head) != headFixed+docs*docSize+pages*4 {
		return nil, errBlock
	}
	at := b.pages + int64(pages)*pageSize
	for rest := head[headFixed:]; len(b.docs) < docs; rest = rest[docSize:] {
		d := doc{mailbox.UID(binary.BigEndian.Uint32(rest)), rest[4], at}
		if n := len(b.docs); n > 0 && d.uid <= b.docs[n-1].uid {
			return nil, errBlock
		}
		b.docs, at = append(b.docs, d), at+int64(binary.BigEndian.Uint32(rest[5:]))
	}
	b.end = at
	for rest := head[headFixed+docs*docSize:]; len(rest) > 0; rest = rest[4:] {
		b.first = append(b.first, gram(binary.BigEndian.Uint32(rest)))
	}
	return b, nil
}

// appendHead is the reverse of readBlock.
func appendHead(dst []byte, box mailbox.Mailbox, full bool, docs []newDoc, first []gram) []byte {
	dst = append(dst, version)
	dst = binary.BigEndian.AppendUint32(dst, uint32(headFixed+len(docs)*docSize+len(first)*4))
	dst = binary.BigEndian.AppendUint64(dst, uint64(box.ID))
	dst = binary.BigEndian.AppendUint32(dst, box.UIDValidity)
	dst = append(dst, boolByte(full))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(docs)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(first)))
	for _, d := range docs {
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(d.uid)), d.flags)
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.size))
	}
	for _, g := range first {
		dst = binary.BigEndian.AppendUint32(dst, uint32(g))
	}
	return append(dst, make([]byte, alignUp(int64(len(dst)))-int64(len(dst)))...)
}

func alignUp(n int64) int64 { return (n + pageSize - 1) / pageSize * pageSize }

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

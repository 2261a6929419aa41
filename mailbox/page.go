package mailbox

import (
	"encoding/binary"
	"errors"

	"github.com/restante/restante/mailbox/seal"
)

// A page, inside its seal: its version, and for each message, by UID,
//
//	the last PageBits bits of the UID     1 octet
//	blob, DEK                             16 and 64 octets
//	padded size, day, day in the mailbox  varints
//	envelope data                         behind its length, a varint
//
// All of that never changes as long as the message is there, so that a page is right
// as long as it is there.
const pageVersion = 1

// appendPaged appends a message that was opened.
func appendPaged(b []byte, m *Message, dek *seal.DEK, data []byte) []byte {
	b = append(b, byte(m.UID&(1<<PageBits-1)))
	b = append(b, m.Blob[:]...)
	b = append(b, dek[:]...)
	for _, n := range []uint64{uint64(m.Size), uint64(m.Day), uint64(m.Saved), uint64(len(data))} {
		b = binary.AppendUvarint(b, n)
	}
	return append(b, data...)
}

// errPage: a page opened, and holds something else than a page does.
var errPage = errors.New("not the content of a page")

// parsePage returns the messages of a page, opened. They share its memory.
func parsePage(owner seal.Owner, mbox MailboxID, n PageNumber, b []byte) ([]Item, error) {
	if len(b) == 0 || b[0] != pageVersion {
		return nil, errPage
	}
	d := pageDecoder{b: b[1:]}
	items := make([]Item, 0, 1<<PageBits)
	for last := UID(0); len(d.b) > 0; {
		i := d.item(owner, mbox, n)
		if d.bad || i.UID <= last || PageOf(i.UID) != n {
			return nil, errPage
		}
		last = i.UID
		items = append(items, i)
	}
	return items, nil
}

// pageDecoder reads from the content of a page. After a fault it returns zeros.
type pageDecoder struct {
	b   []byte
	bad bool
}

func (d *pageDecoder) item(owner seal.Owner, mbox MailboxID, n PageNumber) Item {
	m := Message{Mailbox: mbox, Generation: owner.Generation, Stage: StageWrapped}
	if low := d.take(1); !d.bad {
		m.UID = UID(n)<<PageBits | UID(low[0])
	}
	copy(m.Blob[:], d.take(uint64(len(m.Blob))))
	sealed := seal.Message{Owner: owner, Blob: m.Blob}
	copy(sealed.DEK[:], d.take(uint64(len(sealed.DEK))))
	m.Size, m.Day, m.Saved = int64(d.number()), Day(d.number()), Day(d.number())
	i := newItem(m, nil)
	i.sealed, i.data = sealed, d.take(d.number())
	return i
}

func (d *pageDecoder) number() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > 1<<62 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *pageDecoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	part := d.b[:n:n]
	d.b = d.b[n:]
	return part
}

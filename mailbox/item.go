package mailbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox/seal"
)

// Item is one message being read. It opens what it is asked for, once. It is for
// one goroutine. It tells what never changes of a message: flags and mod-sequences
// come with Changes.
type Item struct {
	UID   UID
	Size  int64 // padded
	Day   Day   // of arrival in the account
	Saved Day   // in this mailbox

	row    Message // as much of it as is needed to open the rest
	opener *opener
	small  []byte // sealed body, if it was read along with the row
	sealed seal.Message
	data   []byte // opened envelope data
	err    error  // why it doesn't open
	info   *Info
}

// Info is what the sealed envelope data tells of a message, but for its structure.
type Info struct {
	Date time.Time // internal date, in the zone it was given in
	mime.Head
}

// newItem is for a message that was read by row.
func newItem(m Message, o *opener) Item {
	return Item{UID: m.UID, Size: m.Size, Day: m.Day, Saved: m.Saved, row: m, opener: o}
}

// open opens key and envelope data.
func (i *Item) open() error {
	if i.data == nil && i.err == nil {
		i.sealed, i.data, i.err = i.opener.open(&i.row)
	}
	return i.err
}

// Info opens the envelope data. The error is ErrCorrupt, naming the row, if it
// doesn't open; other messages do all the same.
func (i *Item) Info() (*Info, error) {
	if i.info != nil {
		return i.info, nil
	}
	if err := i.open(); err != nil {
		return nil, err
	}
	date, binary, err := parseEnvelope(i.data)
	if err != nil {
		return nil, i.opener.damaged(&i.row, err)
	}
	head, err := mime.ParseHead(binary)
	if err != nil {
		return nil, i.opener.damaged(&i.row, err)
	}
	i.info = &Info{Date: date, Head: head}
	return i.info, nil
}

// octets returns the size of the message. It is all that a body needs of the envelope
// data. Errors as Info.
func (i *Item) octets() (int64, error) {
	if i.info != nil {
		return i.info.Size, nil
	}
	if err := i.open(); err != nil {
		return 0, err
	}
	binary, err := cutEnvelope(i.data)
	if err != nil {
		return 0, i.opener.damaged(&i.row, err)
	}
	size, err := mime.ParseSize(binary)
	if err != nil {
		return 0, i.opener.damaged(&i.row, err)
	}
	return size, nil
}

// Structure opens the part tree. Errors as Info.
func (i *Item) Structure() (*mime.Part, error) {
	if err := i.open(); err != nil {
		return nil, err
	}
	_, binary, err := parseEnvelope(i.data)
	if err != nil {
		return nil, i.opener.damaged(&i.row, err)
	}
	m, err := mime.ParseBinary(binary)
	if err != nil {
		return nil, i.opener.damaged(&i.row, err)
	}
	return m.Root, nil
}

// ID is the identity that copies of the message have in common (RFC 8474, 5.1).
func (i *Item) ID() string {
	id := i.opener.own.keys.EmailID(i.row.Blob)
	return hex.EncodeToString(id[:])
}

// Body opens the message's text. Errors: ErrGone if it was expunged meanwhile,
// ErrCorrupt.
func (i *Item) Body(ctx context.Context) (*Body, error) {
	size, err := i.octets()
	if err != nil {
		return nil, err
	}
	r, err := i.sealedBody(ctx)
	if err != nil {
		return nil, fmt.Errorf("open body: %w", err)
	}
	b := &Body{sealed: r, item: i}
	if b.open, err = i.sealed.NewBodyReader(r, r.Size(), size); err != nil {
		return nil, errors.Join(b.fail(err), r.Close())
	}
	return b, nil
}

func (i *Item) sealedBody(ctx context.Context) (BodyReader, error) {
	if i.small != nil {
		return smallBody{bytes.NewReader(i.small)}, nil
	}
	return i.opener.own.svc.store.OpenBody(ctx, i.opener.own.id, i.row.Blob)
}

// Body is a message's text as it was received, header block and all. It is opened
// chunk by chunk as it is read: a read returns bytes that were sealed here, or
// ErrCorrupt, which names the row. It is safe for concurrent use until Close.
type Body struct {
	item   *Item
	sealed BodyReader
	open   *seal.BodyReader
}

// Size is the number of octets.
func (b *Body) Size() int64 { return b.open.Size() }

// ReadAt is for small ranges: each call opens all chunks it touches.
func (b *Body) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.open.ReadAt(p, off)
	return n, b.fail(err)
}

// Section returns n octets from offset off, less where the text ends, to be read
// from beginning to end. It has a WriteTo, which io.Copy uses. Closing it gives its
// memory back.
func (b *Body) Section(off, n int64) io.ReadCloser { return &section{b.open.Section(off, n), b} }

// Close gives the body back to the store.
func (b *Body) Close() error {
	if err := b.sealed.Close(); err != nil {
		return fmt.Errorf("close body: %w", err)
	}
	return nil
}

// fail makes ErrCorrupt of what does not open.
func (b *Body) fail(err error) error {
	if errors.Is(err, seal.ErrOpen) || errors.Is(err, seal.ErrVersion) {
		return b.item.opener.damaged(&b.item.row, err)
	}
	return err
}

// section is a seal.Section whose errors are those of the Body.
type section struct {
	*seal.Section
	body *Body
}

var _ io.WriterTo = (*section)(nil)

func (s *section) Read(p []byte) (int, error) {
	n, err := s.Section.Read(p)
	return n, s.body.fail(err)
}

func (s *section) WriteTo(w io.Writer) (int64, error) {
	n, err := s.Section.WriteTo(w)
	return n, s.body.fail(err)
}

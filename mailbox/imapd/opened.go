package imapd

import (
	"context"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

// opened is a message that a command looks into. It opens what it is asked for,
// once; release gives everything back.
type opened struct {
	ctx  context.Context
	item *mailbox.Item

	head   *mailbox.Info
	root   *mime.Part
	text   content
	header []byte // of the message, as far as readHeader reads it
}

func (o *opened) info() (*mailbox.Info, error) {
	if o.head != nil {
		return o.head, nil
	}
	var err error
	o.head, err = o.item.Info()
	return o.head, err
}

func (o *opened) structure() (*mime.Part, error) {
	if o.root != nil {
		return o.root, nil
	}
	var err error
	o.root, err = o.item.Structure()
	return o.root, err
}

func (o *opened) body() (content, error) {
	if o.text != nil {
		return o.text, nil
	}
	b, err := o.item.Body(o.ctx)
	if err != nil {
		return nil, err
	}
	o.text = b
	return b, nil
}

// headerBlock returns the header of the message itself.
func (o *opened) headerBlock() ([]byte, error) {
	if o.header != nil {
		return o.header, nil
	}
	info, err := o.info()
	if err != nil {
		return nil, err
	}
	body, err := o.body()
	if err != nil {
		return nil, err
	}
	o.header, err = readHeader(body, piece{0, info.HeaderLen})
	return o.header, err
}

// release closes the body if it was opened.
func (o *opened) release() {
	if o.text != nil {
		_ = o.text.Close() // it was only read
		o.text = nil
	}
}

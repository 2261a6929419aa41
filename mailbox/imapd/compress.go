package imapd

import (
	"github.com/restante/restante/mailbox/imapd/wire"
)

// errCompressed answers a second COMPRESS (RFC 4978, 3).
var errCompressed = no("COMPRESSIONACTIVE", "The connection is compressed already")

// compress is COMPRESS (RFC 4978). Deadlines and TLS stay where they are, below it.
func (c *conn) compress(d *wire.Decoder) error {
	d.SP()
	mechanism := d.Keyword()
	if err := d.End(); err != nil {
		return err
	}
	switch {
	case mechanism != "DEFLATE":
		return bad("Only DEFLATE is offered")
	case c.compressed:
		return errCompressed
	}
	c.done = completion{text: "Compression begins", then: c.beginCompression}
	return nil
}

// beginCompression compresses both directions, beginning with what follows the OK.
// A client that has not waited for it has compressed what it sent since.
func (c *conn) beginCompression() error {
	c.compressed = true
	c.r.Reset(wire.NewInflater(c.net, c.r.Reset(nil)))
	c.w.Reset(wire.NewDeflater(c.net))
	return nil
}

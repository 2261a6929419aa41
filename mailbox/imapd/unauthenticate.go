package imapd

import (
	"time"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// unauthenticate is UNAUTHENTICATE (RFC 8437). What was enabled is so no more; TLS
// and compression stay.
func (c *conn) unauthenticate(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	c.logout()
	c.enabled = features{}
	c.r.SetUTF8(false)
	c.w.SetUTF8(false)
	c.r.SetMaxLine(c.srv.o.Limits.LineBefore)
	c.connected = time.Now() // of which the time for the next login counts
	c.done = completion{code: c.writeCapabilityCode, text: "Logged out"}
	return nil
}

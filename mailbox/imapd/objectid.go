package imapd

import (
	"strconv"

	"github.com/restante/restante/mailbox"
)

// OBJECTID (RFC 8474). A message's EMAILID is a MAC, which its copies share; it has
// no THREADID, because what mail is an answer to is encrypted (DESIGN §8.17).

// writeMailboxID writes the identity of a mailbox, in a response code or as an item
// of STATUS.
func (c *conn) writeMailboxID(id mailbox.MailboxID) {
	c.w.Open()
	c.w.Atom("m" + strconv.FormatInt(int64(id), 10))
	c.w.Close()
}

func (c *conn) writeMailboxIDCode(id mailbox.MailboxID) {
	c.w.OpenCode("MAILBOXID")
	c.writeMailboxID(id)
	c.w.CloseCode()
}

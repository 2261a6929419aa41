package imapd

import (
	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// UIDONLY (RFC 9586) is for clients that do without sequence numbers: they neither
// send nor get any.

// codeUIDRequired is the code of RFC 9586, 3.
const codeUIDRequired imap.ResponseCode = "UIDREQUIRED"

var errUIDRequired error = &statusError{
	typ: imap.StatusResponseTypeBad, code: codeUIDRequired,
	text: "There are no sequence numbers after ENABLE UIDONLY: use the UID form",
}

// numbered are the commands by sequence number.
var numbered = map[string]bool{
	"FETCH": true, "STORE": true, "SEARCH": true, "COPY": true, "MOVE": true, "SORT": true, "THREAD": true, "REPLACE": true,
}

// startFetch starts the response about one message: FETCH, or UIDFETCH, which has the
// UID already.
func (c *conn) startFetch(number uint32, uid mailbox.UID, withUID bool) {
	if c.enabled.uidOnly {
		c.w.StartUIDFetch(imap.UID(uid))
		return
	}
	c.w.StartFetch(number)
	if withUID {
		c.writeUID(uid)
	}
}

// writeUID writes the data item UID.
func (c *conn) writeUID(uid mailbox.UID) {
	c.w.Word("UID")
	c.w.Number(uint64(uid))
}

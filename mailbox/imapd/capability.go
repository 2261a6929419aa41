package imapd

import (
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// Capabilities, by the state in which they are true. A client may take what it
// reads after login as all there is.
var (
	// IDLE is for after login, but some clients read no list but the first.
	capsAlways   = []string{"IMAP4rev1", "IMAP4rev2", "LITERAL+", "ID", "ENABLE", "IDLE"}
	capsLogin    = []string{"SASL-IR"}
	capsLoggedIn = []string{
		"NAMESPACE", "UIDPLUS", "MOVE", "UNSELECT", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS",
		"SPECIAL-USE", "CREATE-SPECIAL-USE", "ESEARCH", "SEARCHRES", "STATUS=SIZE", "CONDSTORE", "QRESYNC", "BINARY", "UTF8=ACCEPT",
		"QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "OBJECTID", "WITHIN", "SAVEDATE", "PREVIEW", "PARTIAL", "MULTIAPPEND",
		"UNAUTHENTICATE", "SORT", "ESORT", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES",
		"METADATA", "REPLACE", "UIDONLY", "INPROGRESS", "NOTIFY", "MULTISEARCH",
	}
)

func (c *conn) capabilities() [][]string {
	if c.state != notAuthenticated {
		caps := [][]string{capsAlways, capsLoggedIn}
		if !c.compressed {
			caps = append(caps, []string{"COMPRESS=DEFLATE"})
		}
		if c.srv.o.Chatmail {
			caps = append(caps, []string{"XCHATMAIL"})
		}
		if c.srv.o.Push {
			caps = append(caps, []string{"XDELTAPUSH"})
		}
		return append(caps, []string{fmt.Sprintf("APPENDLIMIT=%d", c.srv.o.Limits.Message)})
	}
	caps := [][]string{capsAlways}
	if !c.protected() && c.srv.o.TLS != nil {
		caps = append(caps, []string{"STARTTLS"})
	}
	if c.mayAuthenticate() {
		return append(caps, capsLogin, c.mechanismNames())
	}
	return append(caps, []string{"LOGINDISABLED"})
}

func (c *conn) writeCapabilities() {
	for _, group := range c.capabilities() {
		for _, name := range group {
			c.w.Word(name)
		}
	}
}

// writeCapabilityCode writes the response code of greeting and login.
func (c *conn) writeCapabilityCode() {
	c.w.OpenCode("CAPABILITY")
	c.writeCapabilities()
	c.w.CloseCode()
}

// capability is CAPABILITY (RFC 9051, 6.1.1).
func (c *conn) capability(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word("CAPABILITY")
	c.writeCapabilities()
	c.sent(c.w.CRLF())
	return nil
}

// noop is NOOP and CHECK: changes are told after every command.
func (c *conn) noop(d *wire.Decoder) error { return d.End() }

// runLogout is LOGOUT (RFC 9051, 6.1.3).
func (c *conn) runLogout(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	c.untaggedStatus(imap.StatusResponseTypeBye, nil, "See you")
	c.over = byeLogout
	return nil
}

// enable is ENABLE (RFC 9051, 6.3.1). What is not known is passed over.
func (c *conn) enable(d *wire.Decoder) error {
	d.SP()
	names := []string{d.Keyword()}
	for d.Special(' ') {
		names = append(names, d.Keyword())
	}
	if err := d.End(); err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word("ENABLED")
	condstore, qresync := false, false
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		switch name {
		case "IMAP4REV2":
			c.w.Word("IMAP4rev2")
			c.enabled.rev2 = true
			c.enableUTF8()
		case "UTF8=ACCEPT":
			c.w.Word("UTF8=ACCEPT")
			c.enableUTF8()
			c.enabled.noCharset = true
		case "CONDSTORE":
			c.w.Word("CONDSTORE")
			condstore = true
		case "QRESYNC":
			c.w.Word("QRESYNC")
			qresync = true
		case "UIDONLY":
			c.w.Word("UIDONLY")
			c.enabled.uidOnly = true
		}
	}
	c.sent(c.w.CRLF())
	if condstore {
		c.enableCondstore()
	}
	if qresync {
		c.enableQResync()
	}
	return nil
}

// enableUTF8 ends modified UTF-7 in mailbox names (RFC 9051, 5.1; RFC 6855, 3).
func (c *conn) enableUTF8() {
	c.enabled.utf8 = true
	c.r.SetUTF8(true)
	c.w.SetUTF8(true)
}

// enableCondstore is called by every command that implies ENABLE CONDSTORE
// (RFC 7162, 3.1). From then on each FETCH response has the mod-sequence.
func (c *conn) enableCondstore() {
	if c.enabled.condstore {
		return
	}
	c.enabled.condstore = true
	if c.sel != nil {
		c.writeHighestModSeq(c.sel.seen)
	}
}

// namespace is NAMESPACE (RFC 9051, 6.3.10): the account's own tree is all there is.
func (c *conn) namespace(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word(`NAMESPACE (("" "/")) NIL NIL`)
	c.sent(c.w.CRLF())
	return nil
}

// The bounds of RFC 2971, 3.3.
const (
	maxIDFields = 30
	maxIDField  = 30
	maxIDValue  = 1024
)

// runID is ID (RFC 2971). What the client says of itself is not kept.
func (c *conn) runID(d *wire.Decoder) error {
	d.SP()
	if !d.Nil() {
		readIDFields(d)
	}
	if err := d.End(); err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word(`ID ("name" "Restante")`)
	c.sent(c.w.CRLF())
	return nil
}

func readIDFields(d *wire.Decoder) {
	n := 0
	d.List(func() {
		field := d.String()
		d.SP()
		value, _ := d.NString()
		if n++; n > maxIDFields || len(field) > maxIDField || len(value) > maxIDValue {
			d.Fail(bad("That is more than ID may hold"))
		}
	})
}

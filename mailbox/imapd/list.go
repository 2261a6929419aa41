package imapd

import (
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

const delimiter = "/"

// The bounds of LIST. A mailbox name has at most 255 octets.
const (
	maxPatterns = 64
	maxPattern  = 1024
)

// listing is what LIST and LSUB are asked for.
type listing struct {
	selection       // what a mailbox must be to be listed
	extended   bool // a form of RFC 5258
	recursive  bool // RECURSIVEMATCH
	subscribed bool // RETURN (SUBSCRIBED), or selected by it
	status     wire.StatusItems
	reference  string
	patterns   []string
	compiled   []*wire.Pattern
}

// selection is a set of selection options.
type selection uint8

const (
	selectSubscribed selection = 1 << iota
	selectSpecialUse
)

// list is LIST (RFC 9051, 6.3.9; RFC 5258; RFC 5819; RFC 6154).
func (c *conn) list(d *wire.Decoder) error {
	var l listing
	d.SP()
	if d.Peek() == '(' {
		l.readSelection(d)
		d.SP()
	}
	l.readPatterns(d)
	if d.Special(' ') {
		c.readReturn(d, &l)
	}
	if err := d.End(); err != nil {
		return err
	}
	if !l.extended && l.patterns[0] == "" {
		c.writeRoot()
		return nil
	}
	folders, err := c.session.Folders(c.ctx)
	if err != nil {
		return err
	}
	return c.writeList(&l, growTree(folders, l.meets, l.matches))
}

// writeRoot answers LIST "" "", which asks for the delimiter.
func (c *conn) writeRoot() {
	c.w.Untagged()
	c.w.Word(`LIST (\Noselect) "` + delimiter + `" ""`)
	c.sent(c.w.CRLF())
}

// readSelection reads the selection options.
func (l *listing) readSelection(d *wire.Decoder) {
	l.extended = true
	d.List(func() {
		switch d.Keyword() {
		case "SUBSCRIBED":
			l.selection |= selectSubscribed
			l.subscribed = true
		case "SPECIAL-USE":
			l.selection |= selectSpecialUse
		case "RECURSIVEMATCH":
			l.recursive = true
		case "REMOTE": // there are no other servers
		default:
			d.Fail(bad("There is no such selection option of LIST"))
		}
	})
	if l.recursive && l.selection == 0 {
		d.Fail(bad("RECURSIVEMATCH needs another selection option")) // RFC 9051, 6.3.9.1
	}
}

// readPatterns reads the reference and one or several patterns.
func (l *listing) readPatterns(d *wire.Decoder) {
	l.reference = d.Mailbox()
	d.SP()
	if d.Peek() != '(' {
		l.addPattern(d, d.Pattern())
		return
	}
	l.extended = true
	d.List(func() { l.addPattern(d, d.Pattern()) })
	if len(l.patterns) == 0 {
		d.Fail(bad("LIST needs a pattern"))
	}
}

func (l *listing) addPattern(d *wire.Decoder, p string) {
	if len(p) > maxPattern {
		d.Fail(&wire.LimitError{What: "bytes in a mailbox pattern", Max: maxPattern})
		return
	}
	if len(l.patterns) == maxPatterns {
		d.Fail(&wire.LimitError{What: "mailbox patterns", Max: maxPatterns})
		return
	}
	l.patterns = append(l.patterns, p)
	l.compiled = append(l.compiled, wire.CompilePattern(withInbox(l.reference+p), delimiter[0]))
}

// withInbox brings INBOX at the top of a pattern to its one spelling, as names
// have it (RFC 9051, 5.1).
func withInbox(pattern string) string {
	first, rest, ok := strings.Cut(pattern, delimiter)
	if ok && strings.EqualFold(first, "INBOX") {
		return "INBOX" + delimiter + rest
	}
	return pattern
}

// readReturn reads the return options. Children and special uses are always told.
func (c *conn) readReturn(d *wire.Decoder, l *listing) {
	l.extended = true
	if d.Keyword() != "RETURN" {
		d.Fail(bad("Expected RETURN"))
	}
	d.SP()
	d.List(func() {
		switch d.Keyword() {
		case "SUBSCRIBED":
			l.subscribed = true
		case "STATUS":
			d.SP()
			l.status = d.StatusItems()
		case "CHILDREN", "SPECIAL-USE":
		default:
			d.Fail(bad("There is no such return option of LIST"))
		}
	})
}

// meets reports whether a mailbox is what the selection options ask for.
func (l *listing) meets(f *mailbox.Folder) bool {
	if l.selection&selectSubscribed != 0 && !f.Subscribed {
		return false
	}
	return l.selection&selectSpecialUse == 0 || useName(f.Use) != ""
}

func (l *listing) matches(name string) bool {
	for _, p := range l.compiled {
		if p.Match(name) {
			return true
		}
	}
	return false
}

// wants reports whether a name is listed.
func (l *listing) wants(n *node) bool {
	if !l.matches(n.Name) {
		return false
	}
	if l.selection == 0 {
		return n.ID != 0 || n.children
	}
	// A level that is not what was asked for is listed for the sake of those below
	// it, unless these are all listed themselves (RFC 9051, 6.3.9.6).
	return l.meets(&n.Folder) || l.recursive && n.hidden
}

func (c *conn) writeList(l *listing, tree []*node) error {
	for _, n := range tree {
		if !l.wants(n) {
			continue
		}
		c.writeNode(l, n)
		if l.status != 0 && n.ID != 0 {
			err := c.writeStatus(n.Name, n.Mailbox, l.status)
			if err != nil && !errors.Is(err, mailbox.ErrNoMailbox) { // deleted meanwhile
				return err
			}
		}
	}
	return nil
}

func (c *conn) writeNode(l *listing, n *node) {
	c.w.Untagged()
	c.w.Word("LIST")
	c.w.Flags(l.attributes(n))
	c.w.String(delimiter)
	c.w.Mailbox(n.Name)
	if l.recursive && n.below {
		c.writeChildInfo(l.selection)
	}
	c.sent(c.w.CRLF())
}

// attributes are those of RFC 9051, 7.3.1.
func (l *listing) attributes(n *node) []imap.Flag {
	attributes := []imap.Flag{`\HasNoChildren`}
	if n.children {
		attributes[0] = `\HasChildren`
	}
	if n.ID == 0 {
		attributes = append(attributes, `\NonExistent`)
	}
	if n.ID == 0 && !l.extended {
		attributes = append(attributes, `\Noselect`) // the one that old clients know
	}
	if l.subscribed && n.Subscribed {
		attributes = append(attributes, `\Subscribed`)
	}
	if use := useName(n.Use); use != "" {
		attributes = append(attributes, use)
	}
	return attributes
}

// writeChildInfo tells that there are mailboxes below which meet the selection
// (RFC 9051, 6.3.9.6).
func (c *conn) writeChildInfo(s selection) {
	c.w.Open()
	c.w.String("CHILDINFO")
	c.w.Open()
	if s&selectSubscribed != 0 {
		c.w.String("SUBSCRIBED")
	}
	if s&selectSpecialUse != 0 {
		c.w.String("SPECIAL-USE")
	}
	c.w.Close()
	c.w.Close()
}

// lsub is LSUB (RFC 3501, 6.3.9).
func (c *conn) lsub(d *wire.Decoder) error {
	l := listing{selection: selectSubscribed}
	d.SP()
	l.readPatterns(d)
	if l.extended {
		d.Fail(bad("LSUB takes one pattern"))
	}
	if err := d.End(); err != nil {
		return err
	}
	folders, err := c.session.Folders(c.ctx)
	if err != nil {
		return err
	}
	for _, n := range growTree(folders, l.meets, l.matches) {
		switch {
		case !l.matches(n.Name):
		case n.Subscribed:
			c.writeSubscription(n.Name, nil)
		case n.hidden: // there is a subscription below it that "%" does not reach
			c.writeSubscription(n.Name, []imap.Flag{`\Noselect`})
		}
	}
	return nil
}

func (c *conn) writeSubscription(name string, attributes []imap.Flag) {
	c.w.Untagged()
	c.w.Word("LSUB")
	c.w.Flags(attributes)
	c.w.String(delimiter)
	c.w.Mailbox(name)
	c.sent(c.w.CRLF())
}

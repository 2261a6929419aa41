package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// store is STORE (RFC 9051, 6.4.6).
func (c *conn) store(d *wire.Decoder) error { return c.runStore(d, false) }

// uidStore is UID STORE (RFC 9051, 6.4.9).
func (c *conn) uidStore(d *wire.Decoder) error { return c.runStore(d, true) }

// storing is one STORE.
type storing struct {
	*conn
	set    wire.Set
	byUID  bool
	since  *mailbox.ModSeq // UNCHANGEDSINCE
	mode   mailbox.FlagMode
	silent bool
	names  []imap.Flag
	flags  mailbox.Flags
}

func (c *conn) runStore(d *wire.Decoder, byUID bool) error {
	s := &storing{conn: c, byUID: byUID}
	if err := s.parse(d); err != nil {
		return err
	}
	if c.sel.readOnly {
		return errReadOnly
	}
	uids, asked, err := c.target(s.set, byUID)
	if err != nil {
		return err
	}
	if s.since != nil {
		c.enableCondstore()
	}
	if s.flags, err = c.flagsOf(s.names, s.mode == mailbox.RemoveFlags); err != nil {
		return err
	}
	return s.run(uids, asked)
}

// parse reads the arguments (RFC 9051, 9; RFC 7162, 3.1.3).
func (s *storing) parse(d *wire.Decoder) error {
	d.SP()
	s.set = d.Set()
	d.SP()
	if d.Peek() == '(' {
		d.List(func() { s.modifier(d) })
		d.SP()
	}
	s.action(d)
	d.SP()
	s.names = d.StoreFlags()
	return d.End()
}

func (s *storing) modifier(d *wire.Decoder) {
	if d.Keyword() != "UNCHANGEDSINCE" {
		d.Fail(bad("There is no such modifier of STORE"))
	}
	d.SP()
	m := mailbox.ModSeq(d.Number64())
	s.since = &m
}

func (s *storing) action(d *wire.Decoder) {
	switch {
	case d.Special('+'):
		s.mode = mailbox.AddFlags
	case d.Special('-'):
		s.mode = mailbox.RemoveFlags
	}
	word, silent := strings.CutSuffix(d.Keyword(), ".SILENT")
	s.silent = silent
	if word != "FLAGS" {
		d.Fail(bad("Expected FLAGS, +FLAGS or -FLAGS"))
	}
}

// run changes the flags and tells what came of it.
func (s *storing) run(uids []mailbox.UIDRange, asked int) error {
	if asked == 0 {
		return nil
	}
	before := s.sel.table.Rows(nil, uids)
	r, err := s.session.StoreFlags(s.ctx, s.sel.id, mailbox.FlagChange{
		Set: uids, Mode: s.mode, Flags: s.flags, UnchangedSince: s.since, Idle: s.isIdle(before),
	})
	if err != nil {
		return err
	}
	if err := s.sel.table.Refresh(s.ctx); err != nil { // learns new keywords, too
		return err
	}
	s.answer(before, r.Rows)
	switch {
	case len(r.Modified) > 0:
		s.done = completion{code: func() { s.writeModified(r.Modified) }, text: "Some of the messages were changed before"}
	case len(r.Rows) < asked:
		s.done = completion{code: func() { s.writeCode(codeExpungeIssued) }, text: "Some of the messages are gone"}
	}
	return nil
}

// isIdle reports whether all messages have the flags already, as far as is known here.
func (s *storing) isIdle(rows []mailbox.Row) bool {
	return !slices.ContainsFunc(rows, func(r mailbox.Row) bool { return s.mode.Apply(r.Flags, s.flags) != r.Flags })
}

// answer tells each message as it is now.
func (s *storing) answer(before, now []mailbox.Row) {
	for _, row := range now {
		for len(before) > 0 && before[0].UID < row.UID {
			before = before[1:]
		}
		at, ok := s.sel.index(row.UID)
		if !ok || len(before) == 0 || before[0].UID != row.UID {
			continue
		}
		if s.silent && s.asExpected(before[0], row) {
			s.tellModSeq(uint32(at)+1, row)
		} else {
			s.tellFlagsOf(uint32(at)+1, row)
		}
		s.sel.tells(row)
	}
}

// asExpected reports whether a client knows by itself what the flags are now: that
// nobody else has changed them since it was told (RFC 9051, 6.4.6).
func (s *storing) asExpected(before, now mailbox.Row) bool {
	return before.ModSeq <= s.sel.seen && s.mode.Apply(before.Flags, s.flags) == now.Flags
}

func (s *storing) tellFlagsOf(number uint32, row mailbox.Row) {
	names := s.flagNames(row)
	s.startFetch(number, row.UID, s.byUID || s.enabled.qresync) // RFC 7162, 3.2.4
	s.w.Word("FLAGS")
	s.w.Flags(names)
	if s.enabled.condstore {
		s.writeModSeq(row.ModSeq)
	}
	s.sent(s.w.EndFetch())
}

// tellModSeq tells the new mod-sequence, which a client must learn in spite of
// .SILENT, if it wants any (RFC 7162, 3.1.3).
func (s *storing) tellModSeq(number uint32, row mailbox.Row) {
	if !s.enabled.condstore {
		return
	}
	s.startFetch(number, row.UID, s.byUID || s.enabled.qresync) // RFC 7162, 3.2.4
	s.writeModSeq(row.ModSeq)
	s.sent(s.w.EndFetch())
}

// writeModified lists the messages that were left alone because of UNCHANGEDSINCE.
func (s *storing) writeModified(uids []mailbox.UID) {
	list := numbers(uids)
	if !s.byUID {
		for i, uid := range uids {
			at, _ := s.sel.index(uid)
			list[i] = uint32(at) + 1
		}
	}
	s.w.OpenCode("MODIFIED")
	s.w.Nums(list)
	s.w.CloseCode()
}

// flagsOf returns the flags that a client names. Keywords that are new are added
// to the account's, unless the flags are only to be removed.
func (c *conn) flagsOf(names []imap.Flag, onlyKnown bool) (mailbox.Flags, error) {
	if err := checkFlags(names); err != nil {
		return 0, err
	}
	var flags mailbox.Flags
	var words []string
	for _, name := range names {
		f, ok := systemFlag(name)
		switch {
		case ok:
			flags |= f
		case onlyKnown:
			flags |= c.keywordFlag(string(name))
		default:
			words = append(words, string(name))
		}
	}
	if len(words) == 0 {
		return flags, nil
	}
	f, err := c.session.FlagsOf(c.ctx, words)
	return flags | f, err
}

// checkFlags refuses what can't be set: \Recent, which the grammar does not let a
// client name, and system flags that nobody knows, which it does (RFC 3501, 9).
func checkFlags(names []imap.Flag) error {
	for _, name := range names {
		_, ok := systemFlag(name)
		switch {
		case name == wire.FlagRecent:
			return bad("No client can change \\Recent")
		case !ok && strings.HasPrefix(string(name), `\`):
			return no(imap.ResponseCodeCannot, "There is no such system flag; keywords begin without a backslash")
		}
	}
	return nil
}

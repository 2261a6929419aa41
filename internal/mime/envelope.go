package mime

import "time"

// Envelope is what IMAP shows as ENVELOPE (RFC 9051, 7.5.2), as plain text: unfolded, with encoded words left as they
// are. An absent field and an empty one look the same, as the RFC allows.
type Envelope struct {
	Date, Subject, InReplyTo, MessageID string
	From, Sender, ReplyTo, To, Cc, Bcc  []Address // Sender and ReplyTo are From where the header has none
	Time                                time.Time // of Date, in its own zone; zero if it cannot be read
}

// Address is one entry of an address list. Two kinds of entry are no address but mark a group, as in IMAP: its
// beginning has only a Mailbox, the group's name; its end is the zero value. They always come in pairs.
type Address struct {
	Name    string // display name without quotes, encoded words kept; a comment if there is no other name
	Mailbox string // local part without quotes
	Host    string // domain, or address literal with its brackets
	Route   string // obsolete source route ("@a,@b"), which IMAP still shows
}

// What Mailbox and Host of a malformed address hold instead of nothing, which would mark a group. Neither can be part
// of an address: both begin with a dot.
const (
	MissingMailbox = ".missing-mailbox."
	MissingHost    = ".missing-host."
)

// IsGroupStart reports whether a begins a group, whose name is then a.Mailbox.
func (a Address) IsGroupStart() bool { return a.Host == "" && a.Mailbox != "" }

// IsGroupEnd reports whether a ends a group.
func (a Address) IsGroupEnd() bool { return a == Address{} }

// list returns the address list that the field fills, or nil.
func (e *Envelope) list(id fieldID) *[]Address {
	switch id {
	case fieldFrom:
		return &e.From
	case fieldSender:
		return &e.Sender
	case fieldReplyTo:
		return &e.ReplyTo
	case fieldTo:
		return &e.To
	case fieldCc:
		return &e.Cc
	case fieldBcc:
		return &e.Bcc
	}
	return nil
}

// complete fills in what RFC 9051 says is shown for absent fields.
func (e *Envelope) complete() {
	if len(e.Sender) == 0 {
		e.Sender = e.From
	}
	if len(e.ReplyTo) == 0 {
		e.ReplyTo = e.From
	}
}

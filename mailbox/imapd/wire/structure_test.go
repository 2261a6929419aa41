package wire

import (
	"testing"

	"github.com/restante/restante/internal/mime"
)

// rfcEnvelope is the envelope of the example in RFC 9051 section 8.
var rfcEnvelope = mime.Envelope{
	Date:      "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
	Subject:   "IMAP4rev2 WG mtg summary and minutes",
	From:      []mime.Address{{Name: "Terry Gray", Mailbox: "gray", Host: "cac.washington.edu"}},
	Sender:    []mime.Address{{Name: "Terry Gray", Mailbox: "gray", Host: "cac.washington.edu"}},
	ReplyTo:   []mime.Address{{Name: "Terry Gray", Mailbox: "gray", Host: "cac.washington.edu"}},
	To:        []mime.Address{{Mailbox: "imap", Host: "cac.washington.edu"}},
	Cc:        []mime.Address{{Mailbox: "minutes", Host: "CNRI.Reston.VA.US"}, {Name: "John Klensin", Mailbox: "KLENSIN", Host: "MIT.EDU"}},
	MessageID: "<B27397-0100000@cac.washington.ed>",
}

const rfcEnvelopeText = `("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" ` +
	`(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ` +
	`(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ` +
	`((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL ` +
	`"<B27397-0100000@cac.washington.ed>")`

func TestEnvelope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		v    mime.Envelope
		want string
	}{
		{"RFC 9051, 8", rfcEnvelope, rfcEnvelopeText},
		{"empty", mime.Envelope{}, `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"group", mime.Envelope{To: []mime.Address{{Mailbox: "friends"}, {Mailbox: "a", Host: "b"}, {}}},
			`(NIL NIL NIL NIL NIL ((NIL NIL "friends" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) NIL NIL NIL NIL)`},
		{"source route", mime.Envelope{Cc: []mime.Address{{Route: "@x,@y", Mailbox: "a", Host: "b"}}},
			`(NIL NIL NIL NIL NIL NIL ((NIL "@x,@y" "a" "b")) NIL NIL NIL)`},
		{"raw 8 bits", mime.Envelope{Subject: "\xe4"}, "(NIL {1}\r\n\xe4 NIL NIL NIL NIL NIL NIL NIL NIL)"},
	} {
		if got := encode(t, func(e *Encoder) { e.Envelope(&tt.v) }); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func text(subtype string, size, lines int64) *mime.Part {
	return &mime.Part{
		Type: "text", Subtype: subtype, Params: mime.Params{{Name: "charset", Value: "us-ascii"}},
		Encoding: "7bit", BodyStart: 10, End: 10 + size, Lines: lines,
	}
}

func TestBodyStructure(t *testing.T) {
	t.Parallel()
	plain := text("plain", 3028, 92)
	file := &mime.Part{
		Type: "application", Subtype: "pgp-encrypted", ID: "<1@x>", Description: "a \"file\"", Encoding: "base64",
		MD5: "Q2hlY2s=", End: 7, Disposition: "attachment",
		DispositionParams: mime.Params{{Name: "filename", Value: "a.asc"}},
		Language:          []string{"de", "en"}, Location: "x",
	}
	embedded := &mime.Part{
		Type: "message", Subtype: "rfc822", Encoding: "7bit", End: 100, Lines: 9,
		Envelope: &mime.Envelope{Subject: "in"}, Parts: []*mime.Part{text("html", 5, 1)},
	}
	global := *embedded
	global.Subtype = "global"
	hollow := mime.Part{Type: "message", Subtype: "rfc822", Encoding: "7bit", End: 100, Lines: 9}
	const inner = `(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 5 1`

	for _, tt := range []struct {
		name       string
		utf8       bool
		p          *mime.Part
		body, full string
	}{
		{name: "text", p: plain, // RFC 9051, 7.5.2
			body: `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3028 92)`,
			full: `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3028 92 NIL NIL NIL NIL)`},
		{name: "file", p: file,
			body: `("application" "pgp-encrypted" NIL "<1@x>" "a \"file\"" "base64" 7)`,
			full: `("application" "pgp-encrypted" NIL "<1@x>" "a \"file\"" "base64" 7 "Q2hlY2s=" ` +
				`("attachment" ("filename" "a.asc")) ("de" "en") "x")`},
		{name: "message", p: embedded,
			body: `("message" "rfc822" NIL NIL NIL "7bit" 100 ` + inner + `) 9)`,
			full: `("message" "rfc822" NIL NIL NIL "7bit" 100 ` + inner + ` NIL NIL NIL NIL) 9 NIL NIL NIL NIL)`},
		{name: "global for IMAP4rev1", p: &global,
			body: `("message" "global" NIL NIL NIL "7bit" 100)`,
			full: `("message" "global" NIL NIL NIL "7bit" 100 NIL NIL NIL NIL)`},
		{name: "global for IMAP4rev2", p: &global, utf8: true,
			body: `("message" "global" NIL NIL NIL "7bit" 100 ` + inner + `) 9)`,
			full: `("message" "global" NIL NIL NIL "7bit" 100 ` + inner + ` NIL NIL NIL NIL) 9 NIL NIL NIL NIL)`},
		{name: "message without content", p: &hollow,
			body: `("application" "octet-stream" NIL NIL NIL "7bit" 100)`,
			full: `("application" "octet-stream" NIL NIL NIL "7bit" 100 NIL NIL NIL NIL)`},
		{name: "multipart", p: &mime.Part{Type: "multipart", Subtype: "mixed",
			Params: mime.Params{{Name: "boundary", Value: "b"}}, Parts: []*mime.Part{plain, text("x", 1, 1)}},
			body: `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3028 92)` +
				`("text" "x" ("charset" "us-ascii") NIL NIL "7bit" 1 1) "mixed")`,
			full: `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3028 92 NIL NIL NIL NIL)` +
				`("text" "x" ("charset" "us-ascii") NIL NIL "7bit" 1 1 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		// The grammar has no form for a multipart without parts.
		{name: "hollow multipart", p: &mime.Part{Type: "multipart", Subtype: "mixed"},
			body: `(("text" "plain" NIL NIL NIL "7bit" 0 0) "mixed")`,
			full: `(("text" "plain" NIL NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)`},
	} {
		got, err := tryEncode(tt.utf8, func(e *Encoder) { e.Body(tt.p) })
		if got != tt.body || err != nil {
			t.Errorf("%s, BODY: %v\ngot  %s\nwant %s", tt.name, err, got, tt.body)
		}
		got, err = tryEncode(tt.utf8, func(e *Encoder) { e.BodyStructure(tt.p) })
		if got != tt.full || err != nil {
			t.Errorf("%s, BODYSTRUCTURE: %v\ngot  %s\nwant %s", tt.name, err, got, tt.full)
		}
	}
}

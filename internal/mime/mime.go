// Package mime walks a mail message once, from its first byte to its last, and reports what it is made of.
//
// The walk is strict about where things are and calm about what is wrong: a Walker never fails on content. Malformed
// mail still gets a tree of parts with exact offsets, so that a store can show it, and everything that is not strictly
// right is recorded as a Defect, so that the OpenPGP gate can refuse it. Gate and store use the same walk: what was
// inspected is what is stored.
//
//	w := mime.NewWalker(mime.Options{Visitor: v})
//	io.Copy(w, message) // any chunks; v sees headers and bodies as they pass
//	m, err := w.Close() // the tree, the envelope, the defects; err is only ever v's
//
// Memory is bounded by Options, never by the message: bodies are not kept. The tree obeys these rules, so that code
// which shows it (IMAP BODYSTRUCTURE, above all) has no odd case to handle:
//
//   - a multipart has at least one part; if the message holds none, one text/plain part stands for its whole body;
//   - a message/rfc822 or message/global has exactly one part, the embedded message, and its Envelope;
//   - any other part has none. A container that cannot be opened (too deep, too many parts, or a message in base64)
//     is presented as application/octet-stream, and a multipart without a boundary as text/plain;
//   - HeaderStart <= BodyStart <= End, and parts lie in order inside the body of the part that holds them;
//   - no string holds NUL, CR or LF.
//
// RFCs: 5322 (headers), 2045, 2046, 2183 (parts), 2231 (parameters, left raw), 3501 and 9051 (what IMAP shows).
package mime

import (
	"io"
	"strings"
)

// Defaults of Options.
const (
	DefaultMaxDepth  = 100
	DefaultMaxParts  = 1000
	DefaultMaxHeader = 256 << 10
)

// Bounds that are not options.
const (
	maxKept     = 8 << 10   // octets of Head.Kept
	maxText     = 512 << 10 // octets of all other strings of a Message, with an allowance for each
	maxBoundary = 250       // longest boundary used; RFC 2046 allows 70
	maxLine     = 998       // RFC 5322, 2.1.1
)

// Options are the limits of a walk and what it does on the way. The zero value walks with the default limits.
type Options struct {
	// MaxDepth is how many parts may lie inside each other, the root included. At most, and by default, 100.
	MaxDepth int
	// MaxParts is how many parts are told apart, the root included; later ones stay in the body of the last. Default 1,000.
	MaxParts int
	// MaxHeader is how many octets one header block may have with its blank line; fields beyond it are as if absent.
	// Default 256 KiB.
	MaxHeader int
	// Visitor sees the message pass. It may be nil.
	Visitor Visitor
	// Keep names header fields of the root to keep raw in Head.Kept, up to 8 KiB in all.
	Keep []string
}

// Visitor is called by Walker.Write and Walker.Close, in stream order. An error stops the walk and is returned as it is.
// The slices are only valid during the call, and where one ends depends on how the message was cut into writes.
type Visitor interface {
	// Header is called when the header block of p is complete: all of p but End, Lines and Parts is set.
	Header(p *Part) error
	// Body hands over octets of the body of the leaf p, undecoded. The line end before a delimiter is no part of it.
	Body(p *Part, b []byte) error
	// Outside hands over octets in the body of the multipart p that belong to no part.
	Outside(p *Part, place Place, b []byte) error
}

// Place tells where octets outside all parts were found.
type Place int

// The places in a multipart that belong to no part. None of them includes the line end of or before a delimiter.
const (
	Preamble       Place = iota // before the first delimiter
	Epilogue                    // after the close delimiter
	AfterDelimiter              // on the line of a delimiter, behind it; blanks there are lawful
)

// Message is the result of a walk. It is not safe to change while others read it.
type Message struct {
	Head
	Root *Part
	// Defects has one entry for each kind that was found, in the order of the kinds.
	Defects []Defect
}

// Head is what a listing shows of a message; ParseHead reads it without the tree.
type Head struct {
	Size      int64 // octets of the whole message
	HeaderLen int64 // octets of the root's header block with the blank line after it
	Envelope  Envelope
	// Kept has the fields named by Options.Keep, in the order of the header, raw. After a walk they share memory with
	// the Header of the root. KeptAll tells that none of them had to be left out for a limit.
	Kept    []Field
	KeptAll bool
}

// Part is one node of the tree: the root, a part of a multipart, or the root of an embedded message.
type Part struct {
	Type, Subtype     string // lower case
	Params            Params
	Disposition       string // lower case, empty if none
	DispositionParams Params
	ID, Description   string // as in the header, unfolded
	Encoding          string // lower case, "7bit" if the header names none
	MD5, Location     string
	Language          []string

	// Header is the raw header block without the blank line. It is set while Visitor.Header runs, and for the root
	// it stays; it ends early where the block is larger than Options.MaxHeader.
	Header []byte

	// Offsets in the message: the header block with its blank line is [HeaderStart, BodyStart), the body is
	// [BodyStart, End).
	HeaderStart, BodyStart, End int64
	// Lines is how many lines the body has; text after the last line end counts as one.
	Lines int64

	Parts    []*Part
	Envelope *Envelope // of the embedded message, for message/rfc822 and message/global only
}

// Param is a parameter of Content-Type or Content-Disposition. The name is in lower case and keeps the marks of
// RFC 2231 ("filename*0*"); the value is without quotes and otherwise raw.
type Param struct{ Name, Value string }

// Params are parameters in the order of the header. A name can occur more than once: see DuplicateParam.
type Params []Param

// Get returns the first value of the lower-case name.
func (ps Params) Get(name string) (value string, ok bool) {
	for _, p := range ps {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// IsMultipart reports whether p holds parts between delimiters.
func (p *Part) IsMultipart() bool { return p.Type == "multipart" }

// IsMessage reports whether p holds an embedded message: Envelope is set and Parts has its root.
func (p *Part) IsMessage() bool {
	return p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global")
}

// Is reports whether p has the media type, given in lower case as "type/subtype".
func (p *Part) Is(mediaType string) bool {
	t, s, ok := strings.Cut(mediaType, "/")
	return ok && p.Type == t && p.Subtype == s
}

// Size returns how many octets the body has.
func (p *Part) Size() int64 { return p.End - p.BodyStart }

// Find returns the part that IMAP calls by these numbers (RFC 9051, 6.4.5.1), or nil. It is called on the root of a
// message: without numbers it returns the root, and part 1 of a message that is no multipart is its root too.
func (p *Part) Find(numbers ...int) *Part {
	for i, n := range numbers {
		holder, isRoot := p, i == 0
		if i > 0 && p.IsMessage() {
			holder, isRoot = p.Parts[0], true
		}
		switch {
		case holder.IsMultipart() && 1 <= n && n <= len(holder.Parts):
			p = holder.Parts[n-1]
		case !holder.IsMultipart() && isRoot && n == 1:
			p = holder
		default:
			return nil
		}
	}
	return p
}

// Walk reads r to its end and returns what it is made of. The error is the reader's or the visitor's.
func Walk(r io.Reader, o Options) (*Message, error) {
	w := NewWalker(o)
	if _, err := io.Copy(w, r); err != nil {
		return nil, err
	}
	return w.Close()
}

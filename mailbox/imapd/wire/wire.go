// Package wire is the IMAP codec: it turns bytes into tokens and tokens into
// bytes, for the server and for the client, and knows nothing of mailboxes.
//
// Reading. A [Reader] takes commands (or, with Options.Responses, responses)
// from a connection. [Reader.Wait] blocks for the first byte with no buffer
// held, [Reader.Command] returns a [Decoder] for one command, and
// [Decoder.Skip] steps over whatever of that command was not read:
//
//	for {
//		if err := r.Wait(); err != nil { … }
//		d, err := r.Command()
//		if err != nil { … }
//		tag := d.Tag()
//		d.SP()
//		name := d.Keyword()
//		… arguments, d.End() …
//		if err := d.Skip(); err != nil { … } // only when the connection is lost
//	}
//
// A Decoder remembers its first error and then returns zero values, so that a
// command reads all its arguments and asks once, with [Decoder.End].
//
// Three promises hold whatever the peer sends. A literal is recognised in one
// place, at the end of a line, for parsing and for skipping alike, so content
// is never taken for a command. Only CR LF ends a line. No more of a command
// than Options.MaxLine is held in memory; a streamed literal is not held at all.
//
// Writing. An [Encoder] appends responses to one batch; the owner decides when
// to Flush. A response is complete or absent: [Encoder.CRLF] removes all of a
// response of which any part could not be encoded.
//
// Strings are chosen as the standards allow: atom, quoted string or literal.
// Mailbox names are UTF-8 in this package's API and modified UTF-7 on the wire
// until SetUTF8(true).
//
// Grammar: RFC 9051 section 9 and RFC 3501 section 9; RFC 3516 (literal8), 5182
// ("$"), 6855 (UTF-8), 7162 (mod-sequences), 7888 (literals), 9394 (PARTIAL).
//
// Nothing here is safe for use by several goroutines at once.
package wire

import (
	"errors"
	"fmt"
)

// ErrOutOfStep means that the peer announced more bytes than can be thrown
// away, so the place where its next command starts is not known. The
// connection must be closed; nothing more can be read from it.
var ErrOutOfStep = errors.New("imap: too much refused data to stay in step")

// A SyntaxError says which token was expected and where. The rest of the
// command can still be skipped; the answer is BAD.
type SyntaxError struct {
	Want string // what was expected, as a noun phrase: "a mailbox name"
	At   int    // offset in the line, counted from the last literal
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("expected %s at byte %d of the line", e.Want, e.At)
}

// A NameError says that a string can't be the name of a mailbox, in a command that
// is well formed. The rest of the command can still be skipped; the answer is NO.
type NameError struct {
	Encoding string // that names are in
}

func (e *NameError) Error() string { return "not valid " + e.Encoding }

// A LimitError says which limit a command went over. The rest of the command
// can still be skipped.
type LimitError struct {
	What string // what there was too much of: "bytes in a command"
	Max  int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s", e.Max, e.What)
}

// Package transcript plays protocol dialogues from files against a server, for tests.
//
// A transcript is a txtar file. Its comment is the script, its files are the
// literals and messages that the script sends or expects:
//
//	# A literal that is refused is drained, not run as commands (RFC 9051, 4.3).
//	with limit 10
//	S~ \* OK .*
//	C: a APPEND INBOX {${#mail}+}
//	C< mail
//	C:
//	S~ a NO \[TOOBIG\] .*
//	C: b LOGOUT
//	S* ignore the untagged BYE
//	S~ b OK .*
//	S.
//	-- mail --
//	Subject: x CREATE pwned
//
// The first line is a comment that says which behaviour is shown and which RFC
// section asks for it, or which client needs it. A file without it is refused.
//
// # Lines
//
// Blank lines and lines that begin with # are skipped. C is the client, which
// is the player; S is the server. The mark after the letter says what happens;
// one space after the mark is not part of the text, everything else is.
//
//	C: text    the client sends text and CRLF
//	C+ text    the client sends text alone; \r \n \t \0 \\ and \xHH stand for bytes
//	C< file    the client sends the file, its line ends as CRLF
//	C<< file   the same as the body of SMTP DATA: dots stuffed, ended by CRLF.CRLF
//	C.         the client closes the connection
//	C! name    the connection is handed over: to TLS for starttls, to the
//	           entry of Server.Upgrade with this name otherwise
//	S: text    the server sends this very line, ended by CRLF
//	S~ regexp  the server sends a line which the expression matches from end to end
//	S*         the server sends any number of lines before the next one wanted;
//	           text after the mark is a remark
//	S< file    the server sends the bytes of the file, its line ends as CRLF
//	S.         the server closes the connection and has sent nothing more
//	! verb ... the test itself does something: Server.Do is called with the words
//	with k v   a setting for whoever starts the server; Script.Setting reads it
//
// Several connections are told apart by a name between letter and mark, as in
// "C1: a NOOP" and "S1: a OK". A connection is dialled when the script first
// names it, and closed at the end of the script at the latest. Lines that the
// player has received together with the last wanted one, and that nothing asked
// for, are a failure unless the client closed the connection; end with S. where
// it matters that nothing follows.
//
// # Variables
//
// In the text of C: C+ S: S~ and ! lines, ${name} is a value of Server.Vars or
// of a named group that an earlier S~ line matched, ${#file} is the size of a
// file as C< sends it, and ${base64:text} is the encoding of text, which is
// written as in a C+ line.
package transcript

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// DefaultTimeout bounds each single step of a script. It is far longer than any
// step takes, so that only a server that has stopped answering meets it.
const DefaultTimeout = 20 * time.Second

// A Server tells the player how to reach the server under test.
type Server struct {
	// Dial opens the connection that the script calls name; the name is empty
	// for plain C: and S: lines. It is required. The player closes what it gets.
	Dial func(ctx context.Context, name string) (net.Conn, error)

	// TLS is the client's configuration for "C! starttls". Without it that
	// line is a failure.
	TLS *tls.Config

	// Upgrade holds further hand-overs for C! lines, by name. The function
	// gets the connection and returns the one to go on with.
	Upgrade map[string]func(net.Conn) (net.Conn, error)

	// Do carries out "!" lines, for what no client can cause, such as a
	// delivery while another session idles.
	Do func(ctx context.Context, verb string, args []string) error

	// Vars are the values of ${name}. The player works on a copy.
	Vars map[string]string

	// Timeout bounds each step; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Run plays each file that the pattern matches, as a parallel subtest that is
// named after the file. It calls start for a fresh server each time; start
// reads the script's settings and registers its own clean-up with t. A pattern
// that matches nothing fails the test.
func Run(t *testing.T, pattern string, start func(t *testing.T, s *Script) Server) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatalf("transcripts %q: %v", pattern, err)
	}
	if len(files) == 0 {
		t.Fatalf("transcripts %q: no such file", pattern)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runFile(t, file, start)
		})
	}
}

func runFile(t *testing.T, file string, start func(t *testing.T, s *Script) Server) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script, err := Parse(file, data)
	if err != nil {
		t.Fatal(err)
	}
	if err := Play(t.Context(), script, start(t, script)); err != nil {
		t.Fatal(err)
	}
}

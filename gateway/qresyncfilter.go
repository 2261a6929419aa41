package gateway

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// The beginnings of responses that the IMAP client does not get: what QRESYNC adds to the
// language, and the answer to a command that was not the client's. Its own tags begin
// with T.
const (
	vanishedMark = "* VANISHED "
	enableTag    = "Q1 "
)

// maxVanished bounds such a response: 100,000 ranges of UIDs take less.
const maxVanished = 2 << 20

// vanishedFilter takes those responses out of what an IMAP server sends. It knows lines
// and literals (RFC 9051, 4.3), and nothing else of the language: what lies in a literal
// is never taken.
type vanishedFilter struct {
	take  func(line string) // is given each response that is taken out, with its end
	fault error             // a response that is too long; nothing is read behind it

	held    []byte // the beginning of a response that may be one to take
	inside  bool   // what comes is the rest of one to leave
	tail    []byte // the last bytes of a line, which can announce a literal
	literal uint64 // bytes of one that are to come
}

// feed appends to out what is to be left of the next bytes.
func (f *vanishedFilter) feed(out, in []byte) []byte {
	for len(in) > 0 && f.fault == nil {
		if f.literal > 0 {
			n := min(uint64(len(in)), f.literal)
			out, in = append(out, in[:n]...), in[n:]
			f.literal -= n
			continue
		}
		piece := in
		if end := bytes.IndexByte(in, '\n'); end >= 0 {
			piece = in[:end+1]
		}
		in = in[len(piece):]
		out = f.piece(out, piece)
	}
	return out
}

// piece takes a line, or a part of one.
func (f *vanishedFilter) piece(out, b []byte) []byte {
	if !f.inside {
		f.held = append(f.held, b...)
		switch whole, may := isTaken(f.held); {
		case len(f.held) > maxVanished:
			f.fault = errors.New("the server's VANISHED has no end")
			return out
		case whole && f.held[len(f.held)-1] == '\n':
			f.take(string(f.held))
			f.held = f.held[:0]
			return out
		case whole || may:
			return out
		}
		b, f.inside = f.held, true
	}
	out = append(out, b...)
	f.tail = append(f.tail, b[max(0, len(b)-maxAnnounced):]...)
	f.tail = f.tail[max(0, len(f.tail)-maxAnnounced):]
	f.held = f.held[:0]
	if b[len(b)-1] == '\n' {
		f.literal, f.inside = announced(f.tail)
		f.tail = f.tail[:0]
	}
	return out
}

// isTaken reports whether a line that begins like this is to be taken, and whether it
// still may turn out to be.
func isTaken(b []byte) (whole, may bool) {
	for _, mark := range []string{vanishedMark, enableTag} {
		n := min(len(b), len(mark))
		if strings.EqualFold(string(b[:n]), mark[:n]) {
			return n == len(mark), true
		}
	}
	return false, false
}

// maxAnnounced is the length of "{18446744073709551615}\r\n".
const maxAnnounced = 24

// announced returns the size of the literal that a line announces at its end.
func announced(tail []byte) (uint64, bool) {
	text, found := strings.CutSuffix(string(tail), "}\r\n")
	at := strings.LastIndexByte(text, '{')
	if !found || at < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(text[at+1:], 10, 63)
	return n, err == nil
}

// parseVanished reads a VANISHED response (RFC 7162, 3.2.10), and whether it answers a
// question.
func parseVanished(line string) (set imap.UIDSet, earlier, ok bool) {
	rest := strings.TrimRight(line[len(vanishedMark):], "\r\n")
	const mark = "(EARLIER) "
	if len(rest) >= len(mark) && strings.EqualFold(rest[:len(mark)], mark) {
		rest, earlier = rest[len(mark):], true
	}
	for item := range strings.SplitSeq(rest, ",") {
		first, last, isRange := strings.Cut(item, ":")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 32)
		to, err2 := strconv.ParseUint(last, 10, 32)
		if err != nil || err2 != nil || from == 0 || to == 0 {
			return nil, earlier, false
		}
		set.AddRange(imap.UID(from), imap.UID(to))
	}
	return set, earlier, true
}

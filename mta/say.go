package mta

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// flushAt is how many bytes of replies are collected at the most.
const flushAt = 4096

// Write takes the engine's replies, which it writes line by line, and queues
// ours. It reports no errors: the engine would ignore them, and the next Read
// fails.
func (w *wire) Write(b []byte) (int, error) {
	w.partial = append(w.partial, b...)
	for {
		end := endOfReply(w.partial)
		if end < 0 {
			return len(b), nil
		}
		w.answer(parseReply(w.partial[:end]))
		w.partial = w.partial[:copy(w.partial, w.partial[end:])]
	}
}

// endOfReply returns where the first whole reply in b ends, or -1: at the first
// line whose code is not followed by a hyphen (RFC 5321, 4.2.1).
func endOfReply(b []byte) int {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '\n') + 1
		if n == 0 {
			return -1
		}
		if line := b[at : at+n]; len(line) < 4 || line[3] != '-' {
			return at + n
		}
		at += n
	}
}

// parseReply reads a reply as the engine writes it: with the enhanced code on
// the last line only.
func parseReply(b []byte) reply {
	var r reply
	var texts []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		code, text := line[:min(3, len(line))], line[min(4, len(line)):]
		r.code, _ = strconv.Atoi(code) // the engine's own code is a number
		texts = append(texts, text)
	}
	last := len(texts) - 1
	r.enhanced, texts[last] = cutEnhanced(texts[last])
	r.text = strings.Join(texts, "\n")
	return r
}

// cutEnhanced takes the enhanced code off the beginning of a reply's text. A
// reply without one has smtp.NoEnhancedCode.
func cutEnhanced(text string) (smtp.EnhancedCode, string) {
	first, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(first, ".")
	if len(parts) != 3 {
		return smtp.NoEnhancedCode, text
	}
	var code smtp.EnhancedCode
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return smtp.NoEnhancedCode, text
		}
		code[i] = n
	}
	return code, rest
}

// answer takes one reply of the engine.
func (w *wire) answer(r reply) {
	ended := w.endPhase(r)
	broken := w.chunked && breaksOff(r)
	w.chunked = r.text == chunkTaken || w.chunked && !ended
	if w.mute > 0 {
		w.mute--
		return
	}
	w.tell(w.reword(r))
	if broken {
		w.end(errBrokenOff)
	}
}

// endPhase goes back to commands if this is the reply to the message, and
// reports whether it is.
func (w *wire) endPhase(r reply) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase != inRemains || r != w.result {
		return false
	}
	w.phase = inCommands
	return true
}

// tell sends the reply to a command, and draws the conclusions.
func (w *wire) tell(r reply) {
	now := time.Now()
	w.replied, w.mark, w.progress, w.since = now, now, 0, 0
	w.noteRecipient(r)
	w.say(r)
	w.judge(r)
}

// judge counts the reply and ends the connection after one too many. A message
// that was kept wipes the slate clean.
func (w *wire) judge(r reply) {
	w.tally.commands++
	w.lately.add(w.replied)
	if r.code >= 500 {
		w.errors++
	}
	switch {
	case r == replyKept:
		w.tally.kept++
		w.errors, w.lately = 0, window{}
	case r.code == replyBye.code:
		w.fail(errLost)
	case w.errors > w.limits.MaxErrors:
		w.end(errTooManyErrors)
	case w.lately.count > w.limits.MaxCommands:
		w.end(errTooManyCommands)
	}
}

// A window counts what happens in a minute.
type window struct {
	start time.Time
	count int
}

func (c *window) add(now time.Time) {
	if now.Sub(c.start) > time.Minute {
		c.start, c.count = now, 0
	}
	c.count++
}

// full reports whether there was as much as the limit says.
func (c *window) full(now time.Time, limit int) bool {
	return now.Sub(c.start) <= time.Minute && c.count >= limit
}

// say queues a reply, or sends what is queued when that is much.
func (w *wire) say(r reply) {
	if w.err != nil {
		return
	}
	w.linger = r.code >= 400
	w.out = r.append(w.out)
	if len(w.out) >= flushAt {
		w.flush()
	}
}

// flush sends what is queued.
func (w *wire) flush() {
	if len(w.out) == 0 {
		return
	}
	err := w.conn.SetWriteDeadline(time.Now().Add(w.limits.WriteTimeout))
	if err == nil {
		_, err = w.conn.Write(w.out)
	}
	w.out = w.out[:0]
	if err != nil {
		w.fail(errLost)
	}
}

// append appends the reply as it goes over the wire, with its enhanced code on
// every line (RFC 2034, 4).
func (r reply) append(b []byte) []byte {
	for rest, more := r.text, true; more; {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		b = strconv.AppendInt(b, int64(r.code), 10)
		if more {
			b = append(b, '-')
		} else {
			b = append(b, ' ')
		}
		if r.enhanced != smtp.NoEnhancedCode {
			b = appendEnhanced(b, r.enhanced)
		}
		b = append(b, line...)
		b = append(b, crlf...)
	}
	return b
}

func appendEnhanced(b []byte, code smtp.EnhancedCode) []byte {
	for i, n := range code {
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, ". "[i/2])
	}
	return b
}

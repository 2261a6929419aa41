package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// errBody: the message could not be read from the queue. The connection must be
// closed then, so that the server does not take half of it for the whole.
var errBody = errors.New("queue: the message can't be read")

func bodyError(err error) error { return fmt.Errorf("%w: %w", errBody, err) }

// copyExactly copies n bytes. It tells an error in reading, errBody, from one in
// writing.
func copyExactly(w io.Writer, r io.Reader, n int64) error {
	buf := make([]byte, min(n, 2*writeStep))
	for n > 0 {
		k, err := io.ReadFull(r, buf[:min(n, int64(len(buf)))])
		if err != nil {
			return bodyError(err)
		}
		if _, err := w.Write(buf[:k]); err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// data sends the body after DATA. A server that wants it although it took no
// recipient gets an empty one (RFC 2920, 3.1).
func (t *transaction) data(ctx context.Context, wanted int, r reply) error {
	if r.code != 354 {
		t.decide(r)
		return nil
	}
	if wanted == 0 {
		_, _, err := t.command(".", t.timeouts.DataEnd)
		return err
	}
	w := newDotWriter(t.link)
	if err := t.copyBody(ctx, w); err != nil {
		return t.lastWords(err)
	}
	if err := w.finish(); err != nil {
		return t.lastWords(err)
	}
	return t.finish()
}

// chunk is how much goes in one BDAT: enough that the replies between chunks cost
// little, and little enough to be held in memory. A chunk is announced once it
// is, because there are servers that take one that breaks off for a whole one.
const chunk = 256 << 10

// chunks sends the body by BDAT (RFC 3030, 2).
func (t *transaction) chunks(ctx context.Context) error {
	body, err := t.parcel.open(ctx)
	if err != nil {
		return bodyError(err)
	}
	defer body.Close()
	buf := make([]byte, min(t.parcel.size, chunk))
	for left := t.parcel.size; ; {
		part := buf[:min(left, chunk)]
		if _, err := io.ReadFull(body, part); err != nil {
			return bodyError(err)
		}
		left -= int64(len(part))
		if err := t.oneChunk(part, left == 0); err != nil {
			return t.lastWords(err)
		}
		if left == 0 {
			return t.finish()
		}
		r, _, err := t.reply(t.timeouts.DataEnd)
		if err != nil {
			return err
		}
		if !r.positive() {
			t.decide(r)
			return nil
		}
	}
}

func (t *transaction) oneChunk(part []byte, last bool) error {
	command := fmt.Sprintf("BDAT %d", len(part))
	if last {
		command += " LAST"
	}
	if err := t.write(command); err != nil {
		return err
	}
	_, err := t.link.Write(part)
	return err
}

// copyBody sends the whole message to w.
func (t *transaction) copyBody(ctx context.Context, w io.Writer) error {
	body, err := t.parcel.open(ctx)
	if err != nil {
		return bodyError(err)
	}
	defer body.Close()
	return copyExactly(w, body, t.parcel.size)
}

// A dotWriter writes the body of DATA: a dot before each line that begins with
// one, and a lone dot as the end (RFC 5321, 4.5.2). Lines must end in CRLF.
type dotWriter struct {
	w    io.Writer
	last [2]byte // what was written last
	buf  []byte
}

func newDotWriter(w io.Writer) *dotWriter { return &dotWriter{w: w, last: [2]byte{'\r', '\n'}} }

func (d *dotWriter) Write(p []byte) (int, error) {
	d.buf = d.buf[:0]
	for rest := p; len(rest) > 0; {
		if d.last == [2]byte{'\r', '\n'} && rest[0] == '.' {
			d.buf = append(d.buf, '.')
		}
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			n = len(rest)
		}
		d.buf = append(d.buf, rest[:n]...)
		d.note(rest[:n])
		rest = rest[n:]
	}
	if _, err := d.w.Write(d.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// note remembers the last two bytes.
func (d *dotWriter) note(p []byte) {
	if len(p) == 1 {
		d.last = [2]byte{d.last[1], p[0]}
		return
	}
	copy(d.last[:], p[len(p)-2:])
}

// finish writes the end.
func (d *dotWriter) finish() error {
	end := "\r\n.\r\n"
	if d.last == [2]byte{'\r', '\n'} {
		end = ".\r\n"
	}
	_, err := io.WriteString(d.w, end)
	return err
}

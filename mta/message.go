package mta

import (
	"bytes"
	"io"
	"sync"
)

// A messageReader reads the message of a DATA command off the wire, up to the line
// with a dot alone, and takes away the dots that stand before others (RFC 5321,
// 4.5.2). A line ends with CRLF and with nothing else; what is wrong with a bare CR
// or LF is for the lineReader to say.
//
// The engine has such a reader, but asks three times for every byte, which took a
// twentieth of the time of a delivery. It finds the last line and nothing before it.
type messageReader struct {
	next   func([]byte) (int, error)
	buf    *[messageBuffer]byte
	in     []byte // of buf, not yet given out
	inLine bool   // the last byte given out did not end a line
	cr     bool   // it was a CR
	err    error
}

const messageBuffer = 16 << 10 // a record of TLS

var messageBuffers = sync.Pool{New: func() any { return new([messageBuffer]byte) }}

var endOfMessage = []byte(".\r\n")

// message returns what to read a message from: r, as the engine gave it, if that is
// of BDAT, or if the engine has read ahead. finish is to be called when nothing more
// of the message is wanted, and leaves its last line to the engine.
func (w *wire) message(r io.Reader) (message io.Reader, finish func()) {
	if _, chunks := r.(*io.PipeReader); chunks || w.readAhead {
		return r, func() {}
	}
	m := newMessageReader(func(b []byte) (int, error) { return w.next(b, true) })
	return m, func() { w.early = append(m.finish(), w.early...) }
}

// newMessageReader returns a reader of what next reads, which must be finished.
func newMessageReader(next func([]byte) (int, error)) *messageReader {
	return &messageReader{next: next, buf: messageBuffers.Get().(*[messageBuffer]byte)}
}

// finish reads what is left of the message, and returns its last line with what was
// read behind it. m must not be used after it.
func (m *messageReader) finish() []byte {
	for rest := m.part(); len(rest) > 0; rest = m.part() {
		m.give(len(rest))
	}
	behind := bytes.Clone(m.in)
	clear(m.buf[:])
	messageBuffers.Put(m.buf)
	return behind
}

// Read implements io.Reader. Its errors are those of next.
func (m *messageReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n := copy(b, m.part())
	if n == 0 {
		return 0, m.err
	}
	m.give(n)
	return n, nil
}

// give notes that n bytes are given out.
func (m *messageReader) give(n int) {
	for _, c := range m.in[max(0, n-2):n] {
		m.inLine = !m.cr || c != '\n'
		m.cr = c == '\r'
	}
	m.in = m.in[n:]
}

// part returns the next bytes of the message, at most to the end of a line that one
// with a dot follows. After the last it returns nothing and sets err.
func (m *messageReader) part() []byte {
	for m.err == nil {
		switch {
		case len(m.in) == 0, !m.inLine && len(m.in) < len(endOfMessage) && bytes.HasPrefix(endOfMessage, m.in):
			m.err = m.more()
		case !m.inLine && bytes.HasPrefix(m.in, endOfMessage):
			m.err = io.EOF
		case !m.inLine && m.in[0] == '.':
			m.in, m.inLine = m.in[1:], true
		case m.cr && m.in[0] == '\n':
			return m.in[:1]
		default:
			if at := bytes.Index(m.in, []byte("\r\n.")); at >= 0 {
				return m.in[:at+2]
			}
			return m.in
		}
	}
	return nil
}

// more reads on behind what is there, which is less than endOfMessage.
func (m *messageReader) more() error {
	held := copy(m.buf[:], m.in)
	n, err := m.next(m.buf[held:])
	m.in = m.buf[:held+n]
	return err
}

package wire

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Limits that hold when Options leaves them zero.
const (
	DefaultMaxLine  = 64 << 10
	DefaultMaxDrain = 64 << 20
	DefaultMaxDepth = 64
)

// A Phase says what a Reader or Encoder is about to wait for.
type Phase int

const (
	PhaseIdle    Phase = iota // the first byte of a command
	PhaseLine                 // the rest of a line
	PhaseLiteral              // the octets of a literal
	PhaseWrite                // room for what we send
)

// Options configure a Reader. The zero value reads commands with the default
// limits, sends no continuation requests and sets no deadlines.
type Options struct {
	// MaxLine limits the bytes of one command held in memory: its lines and
	// those of its strings that came as literals.
	MaxLine int
	// MaxDrain limits the bytes of one command that are read only to be thrown
	// away. Above it, reading ends with ErrOutOfStep.
	MaxDrain int64
	// MaxDepth limits the nesting of lists and search keys.
	MaxDepth int

	// Responses says that the peer is a server: its literals follow without
	// being asked for, and its flags may be "\*".
	Responses bool
	// Continue asks the peer for a synchronising literal; it must send "+" and
	// flush. Nil stands for a peer that asks for nothing.
	Continue func() error
	// Pace is called before each read that may block, with the bytes that this
	// line or literal has brought so far. It sets the deadline; an error from
	// it ends the reading.
	Pace func(phase Phase, done int64) error
}

// A Reader reads commands from a connection. While it waits for one it holds
// no buffer.
type Reader struct {
	src   io.Reader
	opt   Options
	utf8  bool
	err   error     // the connection is lost
	box   *[]byte   // the pooled buffer, nil while idle
	buf   []byte    // *box, or a larger one made for a long line
	beg   int       // buf[beg:end] is not read yet
	end   int       //
	one   [1]byte   // the first byte of a command lands here
	left  int       // bytes that this command may still hold
	drain int64     // bytes that this command may still throw away
	lit   announced // the literal that the last line ended in
	body  Literal   // the literal being streamed
	dec   Decoder   // the command being read
}

const readSize = 4 << 10

var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readSize)
	return &b
}}

// NewReader returns a Reader of src. It reads nothing yet.
func NewReader(src io.Reader, opt Options) *Reader {
	r := &Reader{src: src, opt: opt}
	if r.opt.MaxDrain == 0 {
		r.opt.MaxDrain = DefaultMaxDrain
	}
	if r.opt.MaxDepth == 0 {
		r.opt.MaxDepth = DefaultMaxDepth
	}
	r.SetMaxLine(opt.MaxLine)
	r.body.r, r.dec.r = r, r
	return r
}

// SetMaxLine changes Options.MaxLine from the next command on; zero stands for
// the default. A server may allow more after login.
func (r *Reader) SetMaxLine(n int) {
	if n <= 0 {
		n = DefaultMaxLine
	}
	r.opt.MaxLine = n
}

// SetUTF8 says whether quoted strings may hold UTF-8 and mailbox names are
// UTF-8: after ENABLE UTF8=ACCEPT or ENABLE IMAP4rev2.
func (r *Reader) SetUTF8(on bool) { r.utf8 = on }

// Buffered returns the number of bytes that were received and not yet read.
// Before STARTTLS it must be zero, or a command was injected.
func (r *Reader) Buffered() int { return r.end - r.beg }

// Reset makes r read from src, as after STARTTLS or COMPRESS, and returns a
// copy of what was buffered from the source before.
func (r *Reader) Reset(src io.Reader) []byte {
	rest := bytes.Clone(r.buf[r.beg:r.end])
	r.release()
	r.src = src
	return rest
}

// Err returns the error that lost the connection, or nil.
func (r *Reader) Err() error { return r.err }

// Wait blocks until a byte of the next command is there. Until it comes, the
// buffer is given back. An error is not remembered, for nothing was consumed:
// after a deadline Wait can be called again.
func (r *Reader) Wait() error {
	if r.err != nil || r.end > r.beg {
		return r.err
	}
	r.release()
	n, err := r.readRaw(r.one[:], PhaseIdle, 0)
	if n == 0 {
		return err
	}
	r.acquire()
	r.buf[0], r.end = r.one[0], 1
	return nil
}

// Command reads the first line of the next command and returns its decoder,
// which is valid until the next call. What was left of the command before is
// skipped, as by [Decoder.Skip]. A line over the limit is no error here:
// its start can be decoded, for the tag, and its end gives a *LimitError. An
// error means that the connection is lost.
func (r *Reader) Command() (*Decoder, error) {
	if err := r.dec.Skip(); err != nil {
		return &r.dec, err
	}
	r.left, r.drain = r.opt.MaxLine, r.opt.MaxDrain
	r.dec = Decoder{r: r}
	r.dec.load()
	return &r.dec, r.err
}

// ReadLine reads one line that is not a command: a SASL response, or the DONE
// of IDLE. The slice is valid until the next call. A line over the limit is
// consumed and gives a *LimitError.
func (r *Reader) ReadLine() ([]byte, error) {
	r.left, r.drain = r.opt.MaxLine, r.opt.MaxDrain
	line, cut, err := r.line()
	r.lit = announced{}
	if cut && err == nil {
		return nil, r.tooLong()
	}
	return line, err
}

func (r *Reader) tooLong() error {
	return &LimitError{What: "bytes in a command", Max: int64(r.opt.MaxLine)}
}

// line reads up to CR LF and notes in r.lit the literal announced there. The
// slice points into the buffer. With cut, it is only the start of the line.
func (r *Reader) line() (line []byte, cut bool, err error) {
	seen := 0
	for r.err == nil {
		held := r.buf[r.beg:r.end]
		if i := bytes.Index(held[seen:], crlf); i >= 0 && seen+i <= r.left {
			line = held[:seen+i]
			r.beg += len(line) + len(crlf)
			r.left -= len(line)
			r.lit = announcedBy(line)
			return line, false, nil
		}
		if len(held) > r.left+1 {
			line, err = r.cutLine()
			return line, true, err
		}
		seen = max(0, len(held)-1)
		r.fill()
	}
	return nil, false, r.err
}

var crlf = []byte("\r\n")

// cutLine keeps the part of the line that the limit allows and throws the rest
// away, all but the last bytes, where a literal may be announced.
func (r *Reader) cutLine() ([]byte, error) {
	line := r.buf[r.beg : r.beg+r.left]
	r.beg += r.left
	r.left = 0
	for r.err == nil {
		held := r.buf[r.beg:r.end]
		if i := bytes.Index(held, crlf); i >= 0 {
			r.lit = announcedBy(held[:i])
			r.lit.at = -1
			r.beg += i + len(crlf)
			r.spend(int64(i))
			return line, nil
		}
		if drop := len(held) - maxAnnounced; drop > 0 {
			copy(held, held[drop:])
			r.end -= drop
			r.spend(int64(drop))
		}
		r.fillKeeping()
	}
	return nil, r.err
}

// spend counts bytes thrown away.
func (r *Reader) spend(n int64) {
	if n > r.drain && r.err == nil {
		r.err = ErrOutOfStep
	}
	r.drain -= n
}

// fill reads more bytes behind those held, moving them to the start of the
// buffer or to a larger one when there is no room.
func (r *Reader) fill() {
	if r.buf == nil {
		r.acquire()
	}
	if r.beg == r.end {
		r.beg, r.end = 0, 0
	}
	if r.end == len(r.buf) && r.beg > 0 {
		r.end = copy(r.buf, r.buf[r.beg:r.end])
		r.beg = 0
	}
	r.fillKeeping()
}

// fillKeeping reads more bytes and does not move what is before r.beg.
func (r *Reader) fillKeeping() {
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.readRaw(r.buf[r.end:], PhaseLine, int64(r.end-r.beg))
	r.end += n
	r.lose(err)
}

// lose records the error that ends a connection in the midst of a command.
func (r *Reader) lose(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if r.err == nil {
		r.err = err
	}
}

// readRaw reads at least one byte from the source, or returns an error.
func (r *Reader) readRaw(p []byte, phase Phase, done int64) (int, error) {
	if r.opt.Pace != nil {
		if err := r.opt.Pace(phase, done); err != nil {
			return 0, err
		}
	}
	for range 100 {
		n, err := r.src.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

func (r *Reader) acquire() {
	r.box = readBuffers.Get().(*[]byte)
	r.buf, r.beg, r.end = *r.box, 0, 0
}

func (r *Reader) release() {
	if r.box != nil {
		readBuffers.Put(r.box)
	}
	r.box, r.buf, r.beg, r.end = nil, nil, 0, 0
}

package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// BatchSize is how much an Encoder gathers before Full reports true, and the
// most that it writes at once.
const BatchSize = 32 << 10

// Literals says how an Encoder announces literals.
type Literals int

const (
	LiteralsFromServer Literals = iota // {n}: octets follow at once
	LiteralsPlus                       // {n+} always (LITERAL+)
	LiteralsMinus                      // {n+} up to 4096 octets, then as LiteralsSync (LITERAL-)
	LiteralsSync                       // {n}, then wait until the server asks
)

// literalMinusMax is the limit of RFC 7888 section 5.
const literalMinusMax = 4096

// EncoderOptions configure an Encoder. The zero value is that of a server
// without deadlines.
type EncoderOptions struct {
	Literals Literals
	// Await waits for "+" from the server, after the announcement was flushed.
	// It is needed for LiteralsSync and LiteralsMinus.
	Await func() error
	// Pace is called before each write that may block, with the bytes that this
	// flush has written so far. It sets the deadline.
	Pace func(phase Phase, done int64) error
}

// An Encoder appends responses, or commands, to a batch, and writes the batch
// when it is told to. Each token puts the space before itself that it needs.
//
// A response starts after the last CRLF. If a part of it cannot be encoded, the
// whole response is removed and CRLF returns why.
type Encoder struct {
	dst     io.Writer
	opt     EncoderOptions
	utf8    bool
	box     *[]byte
	b       []byte
	start   int   // where in b the unfinished response starts, below zero if it was spilled
	flushed int64 // bytes written before b
	open    int   // brackets not closed
	tight   bool  // no space before the next token
	err     error // why this response cannot be completed
	broken  error // why nothing more can be written
}

var writeBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, readSize)
	return &b
}}

// maxPooled keeps batches that one large response has blown up out of the pool.
const maxPooled = 2 * BatchSize

// NewEncoder returns an Encoder that writes to dst.
func NewEncoder(dst io.Writer, opt EncoderOptions) *Encoder {
	return &Encoder{dst: dst, opt: opt, tight: true}
}

// Reset makes e write to dst, as after STARTTLS or COMPRESS. The batch must
// have been flushed.
func (e *Encoder) Reset(dst io.Writer) { e.dst = dst }

// SetUTF8 says whether quoted strings and mailbox names may be UTF-8: after
// ENABLE UTF8=ACCEPT or ENABLE IMAP4rev2.
func (e *Encoder) SetUTF8(on bool) { e.utf8 = on }

// SetLiterals changes how literals are announced: the client learns it from
// the server's capabilities.
func (e *Encoder) SetLiterals(l Literals) { e.opt.Literals = l }

// Len returns the number of bytes that wait to be flushed.
func (e *Encoder) Len() int { return len(e.b) }

// Err returns the error that lost the connection, or nil.
func (e *Encoder) Err() error { return e.broken }

// Full reports whether the batch is large enough that it should be flushed.
func (e *Encoder) Full() bool { return len(e.b) >= BatchSize }

// A Mark is a place in the output, between two responses.
type Mark int64

// Mark returns the place where the unfinished response, or the next one, starts.
func (e *Encoder) Mark() Mark { return Mark(e.flushed + int64(e.start)) }

// errTorn tells that part of a response is already on its way.
var errTorn = errors.New("imap: a response broke off after part of it was sent")

// Rollback removes everything since the mark. If some of it was already
// written, a response is torn: the error is remembered, nothing more can be
// written, and the connection must be closed.
func (e *Encoder) Rollback(m Mark) error {
	if e.broken != nil {
		return e.broken
	}
	at := int64(m) - e.flushed
	if at < 0 {
		e.broken = errTorn
		return e.broken
	}
	e.b = e.b[:at]
	e.begin()
	return nil
}

// begin makes the end of the batch the start of a response.
func (e *Encoder) begin() {
	e.start, e.open, e.tight, e.err = len(e.b), 0, true, nil
}

// fail records why the response cannot be completed.
func (e *Encoder) fail(why string) {
	if e.err == nil {
		e.err = fmt.Errorf("encode a response: %s", why)
	}
}

// CRLF completes the response. If it could not be encoded, CRLF removes it and
// returns the reason; the encoder can go on with another.
func (e *Encoder) CRLF() error {
	if e.open != 0 {
		e.fail("a bracket is open")
	}
	if err := e.err; err != nil {
		if torn := e.Rollback(e.Mark()); torn != nil {
			return errors.Join(torn, err)
		}
		return err
	}
	e.b = append(e.b, crlf...)
	e.begin()
	return e.broken
}

// Flush writes the completed responses of the batch. An error is remembered.
// With nothing left, the buffer is given back.
func (e *Encoder) Flush() error {
	e.write(max(e.start, 0)) // below zero, the response was spilled
	if len(e.b) == 0 {
		e.release()
	}
	return e.broken
}

// write writes the first n bytes of the batch.
func (e *Encoder) write(n int) {
	for done := 0; done < n && e.broken == nil; {
		part := e.b[done:min(n, done+BatchSize)]
		if e.opt.Pace != nil {
			e.broken = e.opt.Pace(PhaseWrite, int64(done))
		}
		if e.broken == nil {
			_, e.broken = e.dst.Write(part)
		}
		done += len(part)
	}
	e.flushed += int64(n)
	e.b = e.b[:copy(e.b, e.b[n:])]
	e.start -= n
}

// spill writes also the unfinished response, which can then no longer be taken
// back.
func (e *Encoder) spill() { e.write(len(e.b)) }

func (e *Encoder) acquire() {
	e.box = writeBuffers.Get().(*[]byte)
	e.b = (*e.box)[:0]
}

func (e *Encoder) release() {
	if e.box != nil && cap(e.b) <= maxPooled {
		*e.box = e.b[:0]
		writeBuffers.Put(e.box)
	}
	e.box, e.b = nil, nil
}

// sep puts the space before a token.
func (e *Encoder) sep() {
	if !e.tight {
		e.b = append(e.b, ' ')
		return
	}
	e.tight = false
	if e.b == nil {
		e.acquire()
	}
}

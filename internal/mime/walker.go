package mime

import (
	"bytes"
	"errors"
)

// Walker is one walk over one message. Write the message to it in pieces of any size, then Close it once. It is not
// safe for concurrent use.
type Walker struct {
	o    Options
	err  error // of the visitor, or errClosed; sticks
	msg  Message
	text int // what is left of maxText
	kept int // octets of msg.Kept

	defects defects
	line    line
	stack   []frame // the part being read, below it all that hold it; [0] is the root
	parts   int     // how many parts were opened
	longest int     // octets of the longest boundary that can come; 0 if none can

	state  state
	resume state  // where a candidate line was met
	header []byte // the header block being read
	start  int    // where its present line begins in header
	field  int    // where its present field begins in header
	full   bool   // MaxHeader was reached

	// Octets that were written but whose meaning is open: the line end that a delimiter would claim, and the
	// beginning of a line that may be a delimiter.
	held      []byte
	candidate []byte

	opening bool // the delimiter being read opens a part
	padded  bool // there is text behind it

	// First memory of stack, held and candidate: enough for most messages.
	room struct {
		stack     [4]frame
		held      [2]byte
		candidate [80]byte
	}
}

// state says what the octets to come are.
type state int

const (
	inHeader    state = iota // header lines of the part on top of the stack
	inBody                   // its body, or what surrounds the parts of a multipart
	inCandidate              // a line that begins like a delimiter
	inDelimiter              // what follows a delimiter on its line
)

var errClosed = errors.New("mime: walker is closed")

// NewWalker returns a walker at the beginning of a message.
func NewWalker(o Options) *Walker {
	if o.MaxDepth <= 0 || o.MaxDepth > DefaultMaxDepth {
		o.MaxDepth = DefaultMaxDepth
	}
	if o.MaxParts <= 0 {
		o.MaxParts = DefaultMaxParts
	}
	if o.MaxHeader <= 0 {
		o.MaxHeader = DefaultMaxHeader
	}
	w := &Walker{o: o, text: maxText}
	w.line.defects = &w.defects
	w.stack, w.held, w.candidate = w.room.stack[:0], w.room.held[:0], w.room.candidate[:0]
	w.header = make([]byte, 0, 2<<10)
	w.msg.KeptAll = true
	w.msg.Root = w.push(nil)
	w.frame().envelope = &w.msg.Envelope
	return w
}

// Defects returns what was found so far, so that a visitor can give up early.
func (w *Walker) Defects() []Defect { return w.defects.list() }

// Write takes the next octets of the message. It returns an error only if the visitor did, or after Close.
func (w *Walker) Write(b []byte) (int, error) {
	w.line.nul = bytes.IndexByte(b, 0) >= 0
	for n := 0; ; {
		if w.err != nil || n == len(b) {
			return n, w.err
		}
		var k int
		k, w.err = w.step(b[n:])
		n += k
	}
}

// step reads some of b, at least one octet unless it changes the state.
func (w *Walker) step(b []byte) (int, error) {
	switch w.state {
	case inHeader:
		return w.readHeader(b)
	case inBody:
		return w.readBody(b)
	case inCandidate:
		return w.readCandidate(b)
	default:
		return w.readDelimiter(b)
	}
}

// Close ends the message and returns what it is made of. The error is the visitor's; content causes none.
func (w *Walker) Close() (*Message, error) {
	if w.err == nil {
		w.err = w.end()
	}
	if w.err != nil {
		return nil, w.err
	}
	w.err = errClosed
	w.msg.Defects = w.defects.list()
	m := w.msg
	return &m, nil
}

// end settles what was open when the message ended, and ends all parts.
func (w *Walker) end() error {
	if w.state == inCandidate {
		if err := w.decide(); err != nil {
			return err
		}
	}
	if err := w.emitHeld(); err != nil {
		return err
	}
	w.line.eof()
	if w.state == inDelimiter {
		w.endDelimiter()
	}
	if err := w.endHeaders(); err != nil {
		return err
	}
	w.finish(0, w.line.pos)
	w.msg.Size, w.msg.HeaderLen = w.line.pos, w.msg.Root.BodyStart
	return nil
}

// readHeader reads one header line, or what there is of it.
func (w *Walker) readHeader(b []byte) (int, error) {
	if w.line.fresh() {
		if b[0] == '-' && w.longest > 0 {
			w.suspend()
			return 0, nil
		}
		w.start = len(w.header)
		if !isBlank(b[0]) {
			w.field = w.start
		}
	}
	n := pieceLen(b)
	ended := w.line.note(b[:n])
	w.keepHeader(b[:n])
	if ended && w.line.empty {
		if !w.full {
			w.header = w.header[:w.start]
		}
		return n, w.endHeader()
	}
	return n, nil
}

// keepHeader adds to the header block. Once a field does not fit, it and all that follow are left out.
func (w *Walker) keepHeader(b []byte) {
	switch {
	case w.full:
	case len(w.header)+len(b) > w.o.MaxHeader:
		w.full = true
		w.header = w.header[:w.field]
		w.defects.add(HeaderTooLong, w.frame().part.HeaderStart+int64(w.o.MaxHeader))
	default:
		w.header = append(w.header, b...)
	}
}

// readBody reads lines up to the end of b or the beginning of a line that may be a delimiter.
func (w *Walker) readBody(b []byte) (int, error) {
	if len(w.held) > 0 {
		if n, settled, err := w.settleHeld(b); !settled || err != nil {
			return n, err
		}
	}
	i := 0
	for i < len(b) {
		if b[i] == '-' && w.longest > 0 && w.line.fresh() {
			w.suspend()
			break
		}
		n := pieceLen(b[i:])
		w.line.note(b[i : i+n])
		i += n
	}
	return i, w.emitAndHold(b[:i])
}

// settleHeld looks at what follows the held octets. It reports false if they are held on.
func (w *Walker) settleHeld(b []byte) (n int, settled bool, err error) {
	switch {
	case w.line.cr && b[0] == '\n':
		w.line.note(b[:1])
		w.held = append(w.held, '\n')
		return 1, false, nil
	case w.line.fresh() && b[0] == '-':
		w.suspend()
		return 0, false, nil
	}
	return 0, true, w.emitHeld()
}

// emitAndHold hands out b but for the line end, or the CR that may become one, at its end: if the next line is a
// delimiter, it belongs to that.
func (w *Walker) emitAndHold(b []byte) error {
	tail := 0
	switch {
	case w.longest == 0 || len(b) == 0:
	case w.line.cr:
		tail = 1
	case w.line.fresh():
		tail = w.line.eol
	}
	if err := w.emit(b[:len(b)-tail]); err != nil {
		return err
	}
	w.held = append(w.held, b[len(b)-tail:]...)
	return nil
}

func (w *Walker) emitHeld() error {
	err := w.emit(w.held)
	w.held = w.held[:0]
	return err
}

// emit hands octets of the body, or around the parts, to the visitor.
func (w *Walker) emit(b []byte) error {
	if len(b) == 0 || w.o.Visitor == nil {
		return nil
	}
	f := w.frame()
	switch {
	case w.state == inDelimiter:
		return w.o.Visitor.Outside(f.part, AfterDelimiter, b)
	case f.boundary != "":
		return w.o.Visitor.Outside(f.part, Preamble, b)
	case f.part.IsMultipart():
		return w.o.Visitor.Outside(f.part, Epilogue, b)
	}
	return w.o.Visitor.Body(f.part, b)
}

// pieceLen returns how much of b belongs to its first line, the line end included.
func pieceLen(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

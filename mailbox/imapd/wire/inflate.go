package wire

import (
	"errors"
	"io"
)

// The window of DEFLATE (RFC 1951, 2): how far back a copy can reach.
const (
	windowSize  = 32 << 10
	firstWindow = 512
)

var (
	// errInflate means that what the peer sent is not DEFLATE.
	errInflate = errors.New("imap: the compressed data is damaged")

	// errHungry says that a token is not all there yet.
	errHungry = errors.New("imap: more compressed data is needed")
)

// An Inflater reads DEFLATE (RFC 1951) from a connection that may stay silent for
// long. Besides a kilobyte of tables it keeps only the text that came so far, 32 KiB
// at most, and no buffer while it waits for what may never come. After an error of
// the source, such as a deadline, it goes on where it was. compress/flate can't do
// that, and holds all of its 40 KiB from the first byte on.
type Inflater struct {
	src io.Reader
	box *[]byte // the pooled buffer, nil while waiting
	in  []byte  // what was read and not used
	one [1]byte // the first byte after a wait lands here

	bits  uint64 // taken out of in, the next one lowest
	nbits uint
	used  uint // how many of them the token that is being read takes

	win  []byte // grows up to windowSize, then goes round
	head int    // where the next byte goes, once it goes round
	out  []byte // room for the Reader

	step  func(*Inflater) error // reads the next token
	final bool                  // the block is the last one
	left  int                   // bytes of a stored block, or of a copy
	dist  int                   // of that copy
	table tables
}

// NewInflater returns an Inflater of src, which begins with rest.
func NewInflater(src io.Reader, rest []byte) *Inflater {
	return &Inflater{src: src, in: rest, step: (*Inflater).block}
}

// Read reads what there is, or waits for at least one byte. A Read of a single byte,
// which is how a Reader waits for a command, waits without a buffer.
func (f *Inflater) Read(p []byte) (int, error) {
	f.out = p
	defer f.release()
	idle := len(p) == 1
	for len(f.out) > 0 {
		err := f.next()
		if err == errHungry {
			if len(f.out) < len(p) {
				break
			}
			err = f.fill(idle)
			idle = false // the next byte is of the same line
		}
		if err != nil {
			return len(p) - len(f.out), err
		}
	}
	return len(p) - len(f.out), nil
}

// next reads a token. One that is not all there stays as it is.
func (f *Inflater) next() error {
	f.used = 0
	if err := f.step(f); err != nil {
		return err
	}
	f.bits >>= f.used
	f.nbits -= f.used
	return nil
}

// fill waits for more input.
func (f *Inflater) fill(idle bool) error {
	buf := f.one[:]
	if !idle {
		if f.box == nil {
			f.box = readBuffers.Get().(*[]byte)
		}
		buf = *f.box
	}
	n, err := f.src.Read(buf)
	f.in = buf[:n]
	if n > 0 {
		return nil
	}
	return err
}

// release gives back the buffer, unless something in it is not used yet.
func (f *Inflater) release() {
	f.out = nil
	if len(f.in) > 0 {
		return
	}
	f.in = nil
	if f.box != nil {
		readBuffers.Put(f.box)
		f.box = nil
	}
}

// take reads n bits of the token, at most 16.
func (f *Inflater) take(n uint) (int, error) {
	for f.nbits < f.used+n {
		if len(f.in) == 0 {
			return 0, errHungry
		}
		f.bits |= uint64(f.in[0]) << f.nbits
		f.in = f.in[1:]
		f.nbits += 8
	}
	v := f.bits >> f.used & (1<<n - 1)
	f.used += n
	return int(v), nil
}

// emit is for one byte of text. There is room for it.
func (f *Inflater) emit(b byte) {
	f.out[0] = b
	f.out = f.out[1:]
	if len(f.win) == windowSize {
		f.win[f.head] = b
		f.head = (f.head + 1) % windowSize
		return
	}
	if len(f.win) == cap(f.win) {
		larger := make([]byte, len(f.win), min(max(2*cap(f.win), firstWindow), windowSize))
		copy(larger, f.win)
		f.win = larger
	}
	f.win = append(f.win, b)
}

// copying writes once more what was written before (RFC 1951, 3.2.3).
func (f *Inflater) copying() error {
	for len(f.out) > 0 && f.left > 0 {
		i := f.head - f.dist
		if i < 0 {
			i += len(f.win)
		}
		f.emit(f.win[i])
		f.left--
	}
	if f.left == 0 {
		f.step = (*Inflater).symbol
	}
	return nil
}

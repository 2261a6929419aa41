package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// packetHead is the header of one packet.
type packetHead struct {
	tag     byte
	partial bool   // the length is told piece by piece, and size is that of the first
	size    uint64 // of the body
}

// packetSink is told what packetScanner finds, in order. An error ends the scan.
type packetSink interface {
	begin(packetHead) error
	body([]byte) error // a piece of the body, gone when the call returns
	end() error
}

// packetScanner cuts a stream of octets into OpenPGP packets: headers of both formats, lengths of every form (RFC 9580,
// 4.2). It buffers nothing. The zero value with a sink is ready.
type packetScanner struct {
	sink    packetSink
	state   scanState
	head    packetHead
	started bool   // the sink knows of the packet
	partial bool   // another piece follows the current one
	need    int    // octets of the length still to come
	value   uint64 // the length so far
	bias    uint64 // what to add to it in the end
	left    uint64 // octets of the current piece still to come
}

type scanState byte

const (
	scanTag    scanState = iota // a packet begins, or the stream ends
	scanLength                  // the first octet of a new-format length
	scanMore                    // the others, or any of an old-format length
	scanBody
)

var errPacketEnd = errors.New("the message ends inside a packet")

// Write scans b. Any way of cutting the stream into writes gives the same result.
func (s *packetScanner) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		take, err := 1, error(nil)
		if s.state == scanBody {
			take, err = s.inBody(b)
		} else {
			err = s.inHeader(b[0])
		}
		if err != nil {
			return n - len(b), err
		}
		b = b[take:]
	}
	return n, nil
}

// Close reports whether the stream ended where a packet did.
func (s *packetScanner) Close() error {
	if s.state != scanTag {
		return errPacketEnd
	}
	return nil
}

// inBody takes what of b belongs to the current piece of body.
func (s *packetScanner) inBody(b []byte) (int, error) {
	take := int(min(s.left, uint64(len(b))))
	if err := s.sink.body(b[:take]); err != nil {
		return 0, err
	}
	s.left -= uint64(take)
	return take, s.checkPiece()
}

// inHeader takes one octet of a header.
func (s *packetScanner) inHeader(c byte) error {
	switch s.state {
	case scanTag:
		return s.tag(c)
	case scanLength:
		return s.length(c)
	}
	s.value = s.value<<8 | uint64(c)
	if s.need--; s.need > 0 {
		return nil
	}
	return s.piece(s.value+s.bias, false)
}

// tag takes the first octet of a packet. Bit 6 is clear in the old format, in which GnuPG still writes the encrypted
// session keys.
func (s *packetScanner) tag(c byte) error {
	switch {
	case c&0x80 == 0:
		return fmt.Errorf("octet %#02x begins no OpenPGP packet", c)
	case c&0x40 != 0:
		s.head, s.state = packetHead{tag: c & 0x3F}, scanLength
	case c&3 == 3:
		return errors.New("a packet does not say its length")
	default:
		s.head, s.state = packetHead{tag: c >> 2 & 0x0F}, scanMore
		s.need, s.value, s.bias = 1<<(c&3), 0, 0
	}
	return nil
}

// length takes the first octet of a new-format length (RFC 9580, 4.2.1).
func (s *packetScanner) length(c byte) error {
	switch {
	case c < 192:
		return s.piece(uint64(c), false)
	case c < 224:
		s.state, s.need, s.value, s.bias = scanMore, 1, uint64(c)-192, 192
	case c < 255:
		return s.piece(1<<(c&0x1F), true)
	default:
		s.state, s.need, s.value, s.bias = scanMore, 4, 0, 0
	}
	return nil
}

// piece begins a piece of body, and with the first one the packet.
func (s *packetScanner) piece(size uint64, partial bool) error {
	s.state, s.left, s.partial = scanBody, size, partial
	if !s.started {
		s.started = true
		s.head.size, s.head.partial = size, partial
		if err := s.sink.begin(s.head); err != nil {
			return err
		}
	}
	return s.checkPiece()
}

// checkPiece moves on if the current piece of body is complete.
func (s *packetScanner) checkPiece() error {
	switch {
	case s.left > 0:
		return nil
	case s.partial:
		s.state = scanLength
		return nil
	}
	s.state, s.started = scanTag, false
	return s.sink.end()
}

// packetBody returns the body of the single packet that serialize writes.
func packetBody(serialize func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	if err := serialize(&b); err != nil {
		return nil, err
	}
	var c bodyCollector
	s := packetScanner{sink: &c}
	if _, err := s.Write(b.Bytes()); err != nil {
		return nil, err
	}
	return c.bytes, s.Close()
}

// bodyCollector keeps the bodies of all packets, one after another.
type bodyCollector struct{ bytes []byte }

func (c *bodyCollector) begin(packetHead) error { return nil }
func (c *bodyCollector) end() error             { return nil }

func (c *bodyCollector) body(b []byte) error {
	c.bytes = append(c.bytes, b...)
	return nil
}

package gateway

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
)

// qresyncConn is a connection to an IMAP server on which QRESYNC (RFC 7162, 3.2) is spoken
// beside the library's client, which does not know it (go-imap v2.0.0-beta.8): it enables
// the extension, has a FETCH by CHANGEDSINCE ask what has vanished too, and takes what the
// server says of that out of what the client reads. Its methods are safe for concurrent
// use, as those of the connection below are; but one goroutine gives the commands.
type qresyncConn struct {
	net.Conn
	vanished func() // a message is gone just now; runs on the client's reading goroutine

	filter    vanishedFilter // these four are of that goroutine
	in        []byte
	out, rest []byte

	answer chan bool // the server's to ENABLE: whether it is OK

	mu      sync.Mutex
	asking  bool // the next FETCH by CHANGEDSINCE is to ask
	asked   bool // it was sent, and what came behind it could be read
	earlier imap.UIDSet
}

// newQResyncConn returns a connection in the place of conn. vanished may be nil.
func newQResyncConn(conn net.Conn, vanished func()) *qresyncConn {
	if vanished == nil {
		vanished = func() {}
	}
	c := &qresyncConn{Conn: conn, vanished: vanished, in: make([]byte, 4<<10), answer: make(chan bool, 1)}
	c.filter.take = c.take
	return c
}

// enable turns the extension on, which the server must have, and reports whether it did.
// The client must have logged in, selected nothing, and wait for nothing; closed tells
// that its connection has ended.
func (c *qresyncConn) enable(closed <-chan struct{}) (bool, error) {
	if _, err := c.Conn.Write([]byte(enableTag + "ENABLE QRESYNC\r\n")); err != nil {
		return false, err
	}
	timer := time.NewTimer(dialTimeout)
	defer timer.Stop()
	select {
	case ok := <-c.answer:
		return ok, nil
	case <-closed:
		return false, net.ErrClosed
	case <-timer.C:
		return false, errors.New("the server does not answer ENABLE")
	}
}

// ask has the next FETCH by CHANGEDSINCE ask what has vanished since. On nil, which is a
// server without the extension, it does nothing.
func (c *qresyncConn) ask() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking, c.asked, c.earlier = true, false, nil
}

// told returns what has vanished, and false if the server was not asked or could not be
// understood.
func (c *qresyncConn) told() (imap.UIDSet, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking = false
	return c.earlier, c.asked
}

// Write sends a command, which the client hands over in one piece, with the question if
// it is the one for it.
func (c *qresyncConn) Write(b []byte) (int, error) {
	longer := c.extend(b)
	if longer == nil {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(longer)
	if err != nil {
		return min(n, len(b)), err
	}
	return len(b), nil
}

func (c *qresyncConn) extend(b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	command, found := bytes.CutSuffix(b, []byte(")\r\n"))
	if !c.asking || !found || !bytes.Contains(command, []byte(" (CHANGEDSINCE ")) {
		return nil
	}
	c.asking, c.asked = false, true
	return slices.Concat(command, []byte(" VANISHED)\r\n"))
}

// Read reads what is the client's.
func (c *qresyncConn) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		n, err := c.Conn.Read(c.in)
		c.out = c.filter.feed(c.out[:0], c.in[:n])
		c.rest = c.out
		if c.filter.fault != nil {
			err = c.filter.fault
		}
		if err != nil && len(c.rest) == 0 { // else it comes again
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// take takes a response that is not the client's.
func (c *qresyncConn) take(line string) {
	if answer, found := strings.CutPrefix(line, enableTag); found {
		select {
		case c.answer <- len(answer) > 2 && strings.EqualFold(answer[:3], "OK "):
		default: // nobody asked twice
		}
		return
	}
	set, earlier, ok := parseVanished(line)
	c.mu.Lock()
	c.asked = c.asked && ok
	if earlier {
		c.earlier.AddSet(set)
	}
	c.mu.Unlock()
	if !earlier {
		c.vanished()
	}
}

//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A cutter stands before a town, where others find it, and lets through so many
// bytes of each connection before it cuts it. While it is slow, what it lets through
// crawls, both ways and on every connection.
type cutter struct {
	to      string
	slow    atomic.Bool
	crawled atomic.Int64 // pieces that crawled

	mu      sync.Mutex
	budgets []int64 // of the next connections; after the last, there is no limit
	refuse  bool
	cuts    int
	open    map[net.Conn]bool
}

func newCutter(t *testing.T, w *town, budgets ...int64) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", fmt.Sprintf("%s:%d", w.ip, w.country.smtp))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{to: fmt.Sprintf("%s:%d", w.mx, w.country.smtp), budgets: budgets, open: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { c.pass(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		c.cutAll()
		running.Wait()
	})
	return c
}

// cutAll cuts what is open.
func (c *cutter) cutAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		conn.Close()
	}
}

// next takes a connection and returns how many bytes it may carry.
func (c *cutter) next(conns ...net.Conn) (budget int64, limited bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.open[conn] = true
	}
	if len(c.budgets) == 0 {
		return 0, false
	}
	budget, c.budgets = c.budgets[0], c.budgets[1:]
	c.cuts++
	return budget, true
}

func (c *cutter) forget(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
		delete(c.open, conn)
	}
}

// pass carries one connection.
func (c *cutter) pass(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		in.Close()
		return
	}
	defer c.forget(in, out)
	budget, limited := c.next(in, out)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(paced{in, c}, out) // either side may end it
		in.Close()
	})
	if limited {
		_, _ = io.CopyN(paced{out, c}, in, budget)
	} else {
		_, _ = io.Copy(paced{out, c}, in)
	}
	out.Close()
	if limited {
		in.Close()
	}
	back.Wait()
}

// A slow line carries 100 bytes in 10 ms, so that a message takes a third of a second
// and a handshake as long.
const (
	crawlBytes = 100
	crawlPause = 10 * time.Millisecond
)

// paced is one direction of a connection, as slow as its cutter is at each moment.
type paced struct {
	net.Conn
	line *cutter
}

func (p paced) Write(b []byte) (n int, err error) {
	for len(b) > n && err == nil {
		piece := b[n:]
		if p.line.slow.Load() {
			piece = piece[:min(crawlBytes, len(piece))]
			time.Sleep(crawlPause) // it is what the line is like
			p.line.crawled.Add(1)
		}
		var k int
		k, err = p.Conn.Write(piece)
		n += k
	}
	return n, err
}

// ReadFrom hides that of the connection, which would not crawl.
func (p paced) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{p}, r)
}

// awaitCrawl waits until so many more pieces have crawled.
func (c *cutter) awaitCrawl(t *testing.T, pieces int64) {
	t.Helper()
	until := c.crawled.Load() + pieces
	eventually(t, "the slow line carries something", func() bool { return c.crawled.Load() >= until })
}

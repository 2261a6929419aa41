//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// A cutter stands before a town, where others find it, and lets through so many
// bytes of each connection before it cuts it.
type cutter struct {
	to string

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
		_, _ = io.Copy(in, out) // either side may end it
		in.Close()
	})
	if limited {
		_, _ = io.CopyN(out, in, budget)
	} else {
		_, _ = io.Copy(out, in)
	}
	out.Close()
	if limited {
		in.Close()
	}
	back.Wait()
}

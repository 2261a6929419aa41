// Package socks is a small SOCKS5 proxy for tests (RFC 1928: CONNECT, no
// authentication). It notes what it is asked for, and resolves no name itself:
//
//	p := socks.Serve(t, ln, func(target string) string { return servers[target] })
//	… dial through p.Address …
//	p.Asked() // "imap.example:993", …
package socks

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Proxy is a running proxy. It is safe for concurrent use.
type Proxy struct {
	Address string // host:port

	find  func(target string) string
	mu    sync.Mutex
	asked []string
	open  map[net.Conn]bool // nil once it has ended
}

// Serve runs a proxy on ln until the test ends. It connects to the address that find
// returns for a target, "name:port" as the client said it; "" is unreachable.
func Serve(tb testing.TB, ln net.Listener, find func(target string) string) *Proxy {
	tb.Helper()
	p := &Proxy{Address: ln.Addr().String(), find: find, open: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		p.cut()
		running.Wait()
	})
	return p
}

// Asked returns what the proxy was asked to connect to, in order.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// hold keeps a connection to be closed at the end, and reports whether that is to come.
func (p *Proxy) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return false
	}
	p.open[conn] = true
	return true
}

func (p *Proxy) release(conn net.Conn) {
	conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

func (p *Proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		conn.Close()
	}
	p.open = nil
}

func (p *Proxy) serve(conn net.Conn) {
	defer p.release(conn)
	if !p.hold(conn) {
		return
	}
	target, err := readRequest(conn)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, target)
	p.mu.Unlock()
	server, err := p.dial(target)
	if err != nil {
		_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0}) // host unreachable
		return
	}
	defer server.Close()
	if _, err := conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		return
	}
	var there sync.WaitGroup
	there.Go(func() {
		_, _ = io.Copy(server, conn) // either side may end it
		server.Close()
	})
	_, _ = io.Copy(conn, server)
	conn.Close()
	there.Wait()
}

func (p *Proxy) dial(target string) (net.Conn, error) {
	address := p.find(target)
	if address == "" {
		return nil, net.UnknownNetworkError("no way to the target")
	}
	return net.Dial("tcp", address)
}

// readRequest reads the greeting and a CONNECT request.
func readRequest(conn net.Conn) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:2]); err != nil {
		return "", err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(head[1])); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte{5, 0}); err != nil { // no authentication
		return "", err
	}
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return "", err
	}
	size := map[byte]int{1: 4, 4: 16}[head[3]]
	if head[3] == 3 {
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return "", err
		}
		size = int(n[0])
	}
	rest := make([]byte, size+2)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return "", err
	}
	name := string(rest[:size])
	if ip, ok := netip.AddrFromSlice(rest[:size]); ok && head[3] != 3 {
		name = ip.String()
	}
	return net.JoinHostPort(name, strconv.Itoa(int(binary.BigEndian.Uint16(rest[size:])))), nil
}

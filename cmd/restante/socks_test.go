//go:build linux

package main

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
)

// A socks is a SOCKS5 proxy (RFC 1928) as Tor's is: it knows onion services by name.
type socks struct {
	address string

	mu      sync.Mutex
	servers map[string]string // "name:port" to an address
	asked   []string
}

func newSocks(t *testing.T) *socks {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &socks{address: ln.Addr().String(), servers: map[string]string{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return s
}

// lead makes the proxy lead to a server.
func (s *socks) lead(target, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[target] = address
}

// wanted returns what the proxy was asked to connect to.
func (s *socks) wanted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *socks) find(target string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, target)
	return s.servers[target]
}

func (s *socks) serve(conn net.Conn) {
	defer conn.Close()
	target, err := readSocksRequest(conn)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", s.find(target))
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

// readSocksRequest reads the greeting and a CONNECT request.
func readSocksRequest(conn net.Conn) (string, error) {
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

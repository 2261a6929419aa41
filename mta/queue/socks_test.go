package queue

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
)

// A socks is a SOCKS5 proxy (RFC 1928) that knows a few names and addresses.
type socks struct {
	address string
	servers map[string]string

	mu    sync.Mutex
	asked []string
}

func newSocks(tb testing.TB, servers map[string]string) *socks {
	tb.Helper()
	ln := listen(tb)
	s := &socks{address: ln.Addr().String(), servers: servers}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// wanted returns what the proxy was asked to connect to.
func (s *socks) wanted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *socks) serve(conn net.Conn) {
	defer conn.Close()
	target, err := readRequest(conn)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, target)
	s.mu.Unlock()
	server, err := net.Dial("tcp", s.servers[target])
	if err != nil {
		conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0}) // host unreachable
		return
	}
	defer server.Close()
	conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() {
		io.Copy(server, conn)
		server.Close()
	}()
	io.Copy(conn, server)
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
	conn.Write([]byte{5, 0}) // no authentication
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

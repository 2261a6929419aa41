//go:build linux

package main

import (
	"maps"
	"net"
	"sync"
	"testing"

	"github.com/restante/restante/test/socks"
)

// onionProxy is a SOCKS5 proxy as Tor's is: it knows onion services by name.
type onionProxy struct {
	*socks.Proxy

	mu      sync.Mutex
	servers map[string]string // "name:port" to an address
}

func newOnionProxy(t *testing.T) *onionProxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &onionProxy{servers: map[string]string{}}
	p.Proxy = socks.Serve(t, ln, func(target string) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.servers[target]
	})
	return p
}

// lead makes the proxy lead to servers.
func (p *onionProxy) lead(servers map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(p.servers, servers)
}

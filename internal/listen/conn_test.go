package listen

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/restante/restante/test/logbook"
)

// dialProxied connects as a proxy would for a client at ip.
func dialProxied(t *testing.T, l *Listener, ip string) net.Conn {
	t.Helper()
	c := dial(t, l)
	if _, err := fmt.Fprintf(c, "PROXY TCP4 %s 192.0.2.1 40000 993\r\n", ip); err != nil {
		t.Fatal(err)
	}
	return c
}

// proxyV2 is a header of version 2.
func proxyV2(t *testing.T, source net.Addr) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, source, &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 993})
	data, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestProxyHeaders(t *testing.T) {
	t.Parallel()
	v6 := &net.TCPAddr{IP: net.ParseIP("2001:db8:1:2::3"), Port: 40000}
	tests := []struct {
		name, header, ip string
	}{
		{"v1 IPv4", "PROXY TCP4 198.51.100.7 192.0.2.1 40000 993\r\n", "198.51.100.7"},
		{"v1 IPv6", "PROXY TCP6 2001:db8:1:2::3 2001:db8::1 40000 993\r\n", "2001:db8:1:2::3"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", ""},
		{"v2 IPv6", proxyV2(t, v6), "2001:db8:1:2::3"},
		{"v2 local", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := open(t, Options{Network: Proxy, TrustedProxies: []netip.Prefix{loopback}})
			client := dial(t, l)
			if _, err := client.Write([]byte(test.header + "after")); err != nil {
				t.Fatal(err)
			}
			server := accept(t, l)
			buf := make([]byte, 16)
			if n, err := server.Read(buf); err != nil || string(buf[:n]) != "after" {
				t.Errorf("read %q, %v; want what follows the header", buf[:n], err)
			}
			ip, ok := ClientIP(server)
			if ok != (test.ip != "") || ok && ip.String() != test.ip {
				t.Errorf("client address: got %v, %v; want %q", ip, ok, test.ip)
			}
			if PeerOf(server).Known() != ok {
				t.Error("the peer is known and the address is not, or the other way round")
			}
			wantTalk(t, client, server)
		})
	}
}

func TestProxyRefusals(t *testing.T) {
	t.Parallel()
	far := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	tests := []struct {
		name    string
		trusted []netip.Prefix
		sent    string
	}{
		{"no header", []netip.Prefix{loopback}, "EHLO a\r\n"},
		{"broken header", []netip.Prefix{loopback}, "PROXY TCP4 here there 1 2\r\n"},
		{"silence", []netip.Prefix{loopback}, ""},
		{"not trusted", far, "PROXY TCP4 198.51.100.7 192.0.2.1 40000 993\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := open(t, Options{Network: Proxy, TrustedProxies: test.trusted, HandshakeTimeout: 100 * time.Millisecond})
			serveEcho(t, l)
			client := dial(t, l)
			if _, err := client.Write([]byte(test.sent)); err != nil {
				t.Fatal(err)
			}
			wantClosed(t, client)
		})
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"one IPv4 network", "198.51.100.1", "198.51.100.254", true},
		{"two IPv4 networks", "198.51.100.1", "198.51.101.1", false},
		{"one IPv6 network", "2001:db8:1:2::3", "2001:db8:1:ffff::1", true},
		{"two IPv6 networks", "2001:db8:1::1", "2001:db8:2::1", false},
		{"IPv4 in IPv6", "198.51.100.1", "::ffff:198.51.100.9", true},
	}
	for _, test := range tests {
		a := peerOf(addrIP(&net.TCPAddr{IP: net.ParseIP(test.a)}))
		b := peerOf(addrIP(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(test.b), 1))))
		if !a.Known() || !b.Known() || (a == b) != test.same {
			t.Errorf("%s: equal is %v, want %v", test.name, a == b, test.same)
		}
		if (a.Key() == b.Key()) != test.same {
			t.Errorf("%s: equal keys is %v, want %v", test.name, a.Key() == b.Key(), test.same)
		}
	}
	if peerOf(addrIP(&net.UnixAddr{})).Known() {
		t.Error("a Unix socket has a network")
	}
	if key := (Peer{}).Key(); key != "" {
		t.Errorf("the zero Peer has the key %q, want none", key)
	}
}

// TestNothingNamesTheClient looks for the client's address wherever a
// connection might show it.
func TestNothingNamesTheClient(t *testing.T) {
	t.Parallel()
	l := open(t, Options{})
	client := dial(t, l)
	server := accept(t, l)
	if err := server.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	_, readErr := server.Read(make([]byte, 1))
	_, writeErr := server.Write([]byte("x"))
	if !errors.Is(readErr, os.ErrDeadlineExceeded) || !errors.Is(writeErr, os.ErrDeadlineExceeded) {
		t.Errorf("errors: %v and %v, want deadlines", readErr, writeErr)
	}
	server.Close()
	_, closedErr := server.Read(make([]byte, 1))
	book := &logbook.Book{}
	peer := PeerOf(server)
	book.Logger().Info("all", "remote", server.RemoteAddr(), "peer", peer, "read", readErr, "write", writeErr, "closed", closedErr)
	shown := book.String() + fmt.Sprintf("%v %+v %#v %s", peer, peer, peer, slog.AnyValue(peer).Resolve())
	_, port, _ := net.SplitHostPort(client.LocalAddr().String())
	for _, secret := range []string{"127.0.0", port, fmt.Sprintf("%x", peer.token[:2]), fmt.Sprint(peer.token[:2])} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown in %s", secret, shown)
		}
	}
}

func TestForeignConnectionsHaveNoPeer(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if PeerOf(a).Known() {
		t.Error("a pipe has a network")
	}
	if _, ok := ClientIP(b); ok {
		t.Error("a pipe has an address")
	}
}

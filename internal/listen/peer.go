package listen

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"net"
	"net/netip"
)

// A Peer stands for the network that a connection comes from. Two connections
// from one network have equal Peers for as long as the process lives. It can
// be compared and be the key of a map, and prints as "[network]".
//
// The zero Peer stands for no network: no limit per network applies.
type Peer struct {
	token [16]byte
	known bool
}

// redactedNetwork is what a Peer prints as.
const redactedNetwork = "[network]"

// networkKey makes the tokens of this process. It is never written down, so
// that no token can be turned back into an address after the process.
var networkKey = func() (key [32]byte) {
	_, _ = rand.Read(key[:]) // never fails, by its documentation
	return key
}()

// Prefix lengths of what counts as one network: what one household or one
// small customer gets.
const (
	ipv4Network = 24
	ipv6Network = 48
)

// peerOf returns the token for the network of ip.
func peerOf(ip netip.Addr) Peer {
	if !ip.IsValid() {
		return Peer{}
	}
	bits := ipv6Network
	if ip.Is4() {
		bits = ipv4Network
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		panic("restante: internal error: " + err.Error())
	}
	mac := hmac.New(sha256.New, networkKey[:])
	mac.Write(network.Addr().AsSlice())
	p := Peer{known: true}
	copy(p.token[:], mac.Sum(nil))
	return p
}

// Known reports whether the peer stands for a network.
func (p Peer) Known() bool { return p.known }

// Key returns the token as a string, to be the key of another package's map; it
// is empty for the zero Peer.
func (p Peer) Key() string {
	if !p.known {
		return ""
	}
	return string(p.token[:])
}

// String keeps the token out of messages.
func (p Peer) String() string { return redactedNetwork }

// GoString keeps the token out of test failures and dumps.
func (p Peer) GoString() string { return redactedNetwork }

// LogValue keeps the token out of logs.
func (p Peer) LogValue() slog.Value { return slog.StringValue(redactedNetwork) }

// addrIP returns the IP address of a, invalid where it has none. IPv4 inside
// IPv6 is IPv4, and a zone is dropped: it says nothing about the network.
func addrIP(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

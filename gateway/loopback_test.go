package gateway

import (
	"errors"
	"net"
	"testing"
)

// heardAt is a listener that only has an address.
type heardAt struct {
	net.Listener
	addr net.Addr
}

func (l heardAt) Addr() net.Addr { return l.addr }

// TestLoopback: neither server takes a listener that others can reach.
func TestLoopback(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		addr net.Addr
		want error
	}{
		{"IPv4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, nil},
		{"IPv6", &net.TCPAddr{IP: net.IPv6loopback}, nil},
		{"a socket in the file system", &net.UnixAddr{Name: "x"}, nil},
		{"all addresses", &net.TCPAddr{IP: net.IPv4zero}, ErrNotLoopback},
		{"all addresses of both kinds", &net.TCPAddr{}, ErrNotLoopback},
		{"a local network", &net.TCPAddr{IP: net.IPv4(192, 168, 1, 2)}, ErrNotLoopback},
		{"another kind", &net.UDPAddr{IP: net.IPv6loopback}, ErrNotLoopback},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := checkLoopback(heardAt{addr: tt.addr}); !errors.Is(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	open := heardAt{addr: &net.TCPAddr{}}
	if err := (&Gateway{}).ServeIMAP(t.Context(), open); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("IMAP: got %v, want ErrNotLoopback", err)
	}
	if err := (&Gateway{}).ServeSubmission(t.Context(), open); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("submission: got %v, want ErrNotLoopback", err)
	}
}

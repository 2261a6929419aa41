package queue

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/proxy"
)

// Why a server can't be reached.
var (
	errNoAnswer    = errors.New("queue: the server does not answer")
	errNotThere    = errors.New("queue: the server refuses connections")
	errUnreachable = errors.New("queue: there is no way to the server")
	errNoProxy     = errors.New("queue: names that end in .onion need a SOCKS proxy, and none is set")
	errProxy       = errors.New("queue: the SOCKS proxy did not connect to the server")
)

// A dialer opens connections to servers: straight, or through a SOCKS5 proxy
// (RFC 1928), which .onion names always need.
type dialer struct {
	direct  dialFunc
	proxy   dialFunc // nil without a proxy
	always  bool     // everything goes through the proxy
	timeout time.Duration
}

// newDialer returns a dialer with the SOCKS proxy at that address ("" is none).
func newDialer(socks string, always bool, timeout time.Duration) (*dialer, error) {
	direct := new(net.Dialer)
	d := &dialer{direct: direct.DialContext, always: always, timeout: timeout}
	if socks == "" {
		return d, nil
	}
	p, err := proxy.SOCKS5("tcp", socks, nil, direct)
	if err != nil {
		return nil, err
	}
	c, ok := p.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("queue: the SOCKS dialer knows no contexts")
	}
	d.proxy = c.DialContext
	return d, nil
}

// isOnion reports whether a domain is an onion service (RFC 7686): it is asked of
// no resolver.
func isOnion(domain string) bool {
	return domain == "onion" || strings.HasSuffix(domain, ".onion")
}

// toAddress connects to one address of a host.
func (d *dialer) toAddress(ctx context.Context, ip netip.Addr, port int) (net.Conn, error) {
	if d.always {
		return d.open(ctx, d.proxy, netip.AddrPortFrom(ip, uint16(port)).String())
	}
	return d.open(ctx, d.direct, netip.AddrPortFrom(ip, uint16(port)).String())
}

// toName connects to a name that the proxy resolves.
func (d *dialer) toName(ctx context.Context, name string, port int) (net.Conn, error) {
	return d.open(ctx, d.proxy, net.JoinHostPort(name, strconv.Itoa(port)))
}

func (d *dialer) open(ctx context.Context, dial dialFunc, address string) (net.Conn, error) {
	if dial == nil {
		return nil, errNoProxy
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	return conn, nil
}

// dialError puts an error of package net into our words.
func dialError(ctx context.Context, err error) error {
	var timeout net.Error
	var socks *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errInterrupted
	case errors.Is(err, syscall.ECONNREFUSED):
		return errNotThere
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errNoAnswer
	case errors.As(err, &socks) && socks.Op == "socks connect":
		return errProxy
	}
	return errUnreachable
}

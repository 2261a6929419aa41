package queue

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"time"
)

// idleHTTPS is how long a connection may rest.
const idleHTTPS = 30 * time.Second

// transport returns what speaks HTTPS with other relays. It finds and reaches them
// as mail does: by our resolvers, with our proxy, and not on our own network. It
// follows no environment variables, keeps no connection for long, and always
// checks certificates.
func (r *router) transport() *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.tls != nil {
		config = r.tls.Clone()
		config.ServerName = "" // each connection's own
	}
	return &http.Transport{
		DialContext: r.dialHTTPS, TLSClientConfig: config, TLSHandshakeTimeout: r.timeouts.Handshake,
		MaxIdleConns: maxIdle, MaxIdleConnsPerHost: 4, IdleConnTimeout: idleHTTPS,
		MaxResponseHeaderBytes: 32 << 10, DisableCompression: true,
	}
}

// dialHTTPS opens a connection to a name and port.
func (r *router) dialHTTPS(ctx context.Context, _, address string) (net.Conn, error) {
	name, number, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errUnreachable
	}
	port, err := strconv.Atoi(number)
	if err != nil {
		return nil, errUnreachable
	}
	if isOnion(name) {
		return r.dialer.toName(ctx, name, port)
	}
	h, err := r.resolver.addresses(ctx, name, r.usable)
	if err != nil {
		return nil, err
	}
	for _, ip := range h.addresses {
		conn, dialErr := r.dialer.toAddress(ctx, ip, port)
		if dialErr == nil {
			return conn, nil
		}
		err = dialErr
	}
	return nil, err
}

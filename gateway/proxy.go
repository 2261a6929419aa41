package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// DialFunc opens a connection to host:port, as the method DialContext of net.Dialer does.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// errProxyURL is returned without the text that was given, which can hold a password.
var errProxyURL = errors.New("a proxy is socks5h://IP:PORT, as socks5h://127.0.0.1:9050 for Tor: " +
	"only socks5h looks names up itself, and its own name would have to be asked of DNS")

// ProxyDialer returns what opens connections through the SOCKS5 proxy (RFC 1928) at a
// URL, socks5h://[USER:PASSWORD@]IP:PORT. Names go to the proxy as they are: no
// resolver hears of them. For "", no proxy, it returns nil.
func ProxyDialer(text string) (DialFunc, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "socks5h" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errProxyURL
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil || at.Port() == 0 {
		return nil, errProxyURL
	}
	var login *proxy.Auth // RFC 1929
	if u.User != nil {
		login = &proxy.Auth{User: u.User.Username()}
		login.Password, _ = u.User.Password()
	}
	p, err := proxy.SOCKS5("tcp", at.String(), login, new(net.Dialer))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	d, ok := p.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("restante: internal error: the SOCKS dialer knows no contexts")
	}
	return d.DialContext, nil
}

// open connects, through the account's proxy if it has one.
func (u Upstream) open(ctx context.Context, hostport string) (net.Conn, error) {
	if u.Dial == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", hostport)
	}
	conn, err := u.Dial(ctx, "tcp", hostport)
	if err != nil {
		return nil, fmt.Errorf("through the proxy: %w", err)
	}
	return conn, nil
}

// web returns a client that asks as the one given does, but through the account's proxy
// if it has one: of the client's transport only the TLS settings count then, since
// anything else could lead past the proxy.
func (u Upstream) web(client *http.Client) (*http.Client, error) {
	if client == nil || u.Dial == nil {
		return client, nil
	}
	given := client.Transport
	if given == nil {
		given = http.DefaultTransport
	}
	t, ok := given.(*http.Transport)
	if !ok {
		return nil, errors.New("the HTTP client's transport can't be led through the account's proxy")
	}
	led := *client
	led.Transport = &http.Transport{
		DialContext: u.Dial, TLSClientConfig: t.TLSClientConfig.Clone(), TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxIdleConns: 2 * wkdAtOnce,
	}
	return &led, nil
}

package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
)

// Upstream is an account at a mail provider, ours or any other.
type Upstream struct {
	Address  addr.Address
	User     string // to log in with; "" is the address
	Password string

	live *atomic.Pointer[string] // in the place of Password, where a gateway may change it

	// SMTPS and IMAPS are host:port of submission (RFC 8314, 3.3) and IMAP,
	// both with TLS from the first byte, unless one begins with STARTTLS.
	SMTPS, IMAPS               string
	SMTPStartTLS, IMAPStartTLS bool

	// TLS is the configuration for both; nil verifies the host name against
	// the system's roots.
	TLS *tls.Config

	// Dial opens the connections; nil opens them straight.
	Dial DialFunc
}

// dialTimeout bounds connecting and the TLS handshake.
const dialTimeout = 30 * time.Second

// dial connects and, unless that is for later, shakes hands. Cancelling ctx later
// does not close the connection.
func (u Upstream) dial(ctx context.Context, hostport string, starttls bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := u.open(ctx, hostport)
	if err != nil || starttls {
		return conn, err
	}
	secured := tls.Client(conn, u.configFor(hostport))
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// configFor returns the configuration of TLS with a server.
func (u Upstream) configFor(hostport string) *tls.Config {
	c := &tls.Config{}
	if u.TLS != nil {
		c = u.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(hostport)
	}
	return c
}

// dialIMAP returns a client on a connection with TLS. The connection comes too, so
// that it can be cut; unless it begins with STARTTLS, it is a *qresyncConn, which tells of
// messages that vanish as the client does of those expunged, without a number.
func (u Upstream) dialIMAP(ctx context.Context, o *imapclient.Options) (*imapclient.Client, net.Conn, error) {
	conn, err := u.dial(ctx, u.IMAPS, u.IMAPStartTLS)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to IMAP: %w", err)
	}
	if !u.IMAPStartTLS {
		var vanished func()
		if h := o.UnilateralDataHandler; h != nil && h.Expunge != nil {
			vanished = func() { h.Expunge(0) }
		}
		conn = newQResyncConn(conn, vanished)
		return imapclient.New(conn, o), conn, nil
	}
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	stop := context.AfterFunc(limited, func() { conn.Close() })
	defer stop()
	o.TLSConfig = u.configFor(u.IMAPS)
	c, err := imapclient.NewStartTLS(conn, o)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("connect to IMAP: STARTTLS: %w", err), conn.Close())
	}
	return c, conn, nil
}

// dialSMTP is dialIMAP for submission.
func (u Upstream) dialSMTP(ctx context.Context) (*smtp.Client, net.Conn, error) {
	conn, err := u.dial(ctx, u.SMTPS, u.SMTPStartTLS)
	if err != nil {
		return nil, nil, fmt.Errorf("connect for submission: %w", err)
	}
	if !u.SMTPStartTLS {
		return smtp.NewClient(conn), conn, nil
	}
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	stop := context.AfterFunc(limited, func() { conn.Close() })
	defer stop()
	c, err := smtp.NewClientStartTLS(conn, u.configFor(u.SMTPS))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("connect for submission: STARTTLS: %w", err), conn.Close())
	}
	return c, conn, nil
}

// user is who logs in.
func (u Upstream) user() string {
	if u.User != "" {
		return u.User
	}
	return u.Address.String()
}

// Upstream returns the account as it is reached.
func (a Account) Upstream() (Upstream, error) {
	address, err := addr.Parse(a.Address)
	if err != nil {
		return Upstream{}, fmt.Errorf("the account's address: %w", err)
	}
	u := Upstream{Address: address, User: a.User, Password: a.Password, SMTPS: a.SMTPS, IMAPS: a.IMAPS,
		SMTPStartTLS: a.SMTPStartTLS, IMAPStartTLS: a.IMAPStartTLS}
	if u.Dial, err = ProxyDialer(a.Proxy); err != nil {
		return Upstream{}, fmt.Errorf("the account's proxy: %w", err)
	}
	if len(a.CA) == 0 {
		return u, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.CA) {
		return Upstream{}, errors.New("the account's authority: no certificate in PEM form")
	}
	u.TLS = &tls.Config{RootCAs: roots}
	return u, nil
}

package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/restante/restante/internal/addr"
)

// Upstream is an account at a mail provider, ours or any other.
type Upstream struct {
	Address  addr.Address
	Password string

	// SMTPS and IMAPS are host:port of submission (RFC 8314, 3.3) and IMAP,
	// both with TLS from the first byte.
	SMTPS, IMAPS string

	// TLS is the configuration for both; nil verifies the host name against
	// the system's roots.
	TLS *tls.Config
}

// dialTimeout bounds connecting and the TLS handshake.
const dialTimeout = 30 * time.Second

// dial connects and shakes hands. Cancelling ctx later does not close the
// connection.
func (u Upstream) dial(ctx context.Context, hostport string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return (&tls.Dialer{Config: u.TLS}).DialContext(ctx, "tcp", hostport)
}

// Upstream returns the account as it is reached.
func (a Account) Upstream() (Upstream, error) {
	address, err := addr.Parse(a.Address)
	if err != nil {
		return Upstream{}, fmt.Errorf("the account's address: %w", err)
	}
	u := Upstream{Address: address, Password: a.Password, SMTPS: a.SMTPS, IMAPS: a.IMAPS}
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

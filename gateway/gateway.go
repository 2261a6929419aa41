// Package gateway is the user's half of Restante: what runs on the machine of
// the person who writes and reads, and meets the relay only on the wire.
//
// Upstream is one account on a provider, reached by SMTP submission and IMAP
// over TLS as any mail client reaches it. Letter writes and opens the encrypted
// messages that travel over it: the keys are here and never at the provider.
//
// Everything the relay's own demonstration does as "Alice" and "Bob" it does
// through this package.
package gateway

import (
	"context"
	"crypto/tls"
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

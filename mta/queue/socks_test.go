package queue

import (
	"testing"

	"github.com/restante/restante/test/socks"
)

// newSocks returns a SOCKS5 proxy that knows a few names and addresses.
func newSocks(tb testing.TB, servers map[string]string) *socks.Proxy {
	tb.Helper()
	return socks.Serve(tb, listen(tb), func(target string) string { return servers[target] })
}

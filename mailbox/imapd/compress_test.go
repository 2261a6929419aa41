package imapd_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// compressedConn is the client's side of COMPRESS=DEFLATE.
type compressedConn struct {
	net.Conn
	r *wire.Inflater
	w *wire.Deflater
}

func compressing(nc net.Conn) (net.Conn, error) {
	return compressedConn{nc, wire.NewInflater(nc, nil), wire.NewDeflater(nc)}, nil
}

func (c compressedConn) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c compressedConn) Write(p []byte) (int, error) { return c.w.Write(p) }

// What follows COMPRESS without waiting for its answer is compressed, and is not lost.
func TestCompressPipelined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	nc, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var pipe strings.Builder
	fmt.Fprintf(&pipe, "a LOGIN %s %s\r\nb COMPRESS DEFLATE\r\n", created.Address, created.Secret)
	if _, err := wire.NewDeflater(&pipe).Write([]byte("c NOOP\r\nd LOGOUT\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte(pipe.String())); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"a", "b"} {
		for line := ""; !strings.HasPrefix(line, tag+" OK "); {
			if line, err = readLine(nc); err != nil {
				t.Fatal(err)
			}
		}
	}
	lines := bufio.NewScanner(wire.NewInflater(nc, nil))
	var got []string
	for lines.Scan() {
		got = append(got, lines.Text()[:5])
	}
	if want := "c OK ,* BYE,d OK "; strings.Join(got, ",") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package transcript

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A toy is a server with a small line protocol, for the player to play with.
type toy struct {
	t    *testing.T
	cert *tls.Config
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns map[string]net.Conn // server ends by connection name
}

// newToy returns a Server whose connections are pipes to a toy server.
func newToy(t *testing.T) Server {
	t.Helper()
	serverTLS, clientTLS := testTLS(t)
	y := &toy{t: t, cert: serverTLS, conns: map[string]net.Conn{}}
	t.Cleanup(y.wg.Wait)
	return Server{
		Dial:    y.dial,
		TLS:     clientTLS,
		Do:      y.do,
		Vars:    map[string]string{"user": "alice"},
		Upgrade: map[string]func(net.Conn) (net.Conn, error){"shout": func(c net.Conn) (net.Conn, error) { return shouting{c}, nil }},
	}
}

func (y *toy) dial(_ context.Context, name string) (net.Conn, error) {
	if name == "nobody" {
		return nil, errors.New("no such place")
	}
	client, server := net.Pipe()
	y.mu.Lock()
	y.conns[name] = server
	y.mu.Unlock()
	y.wg.Go(func() {
		defer server.Close()
		y.serve(server)
	})
	return client, nil
}

// do is the toy's "!" line: "say connection words".
func (y *toy) do(_ context.Context, verb string, args []string) error {
	if verb != "say" {
		return fmt.Errorf("unknown verb %q", verb)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.wg.Go(func() { fmt.Fprintf(y.conns[args[0]], "* %s\r\n", strings.Join(args[1:], " ")) })
	return nil
}

// serve speaks the toy protocol until the client or QUIT ends it.
func (y *toy) serve(c net.Conn) {
	r := bufio.NewReader(c)
	fmt.Fprintf(c, "* hello\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		word, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch word {
		case "ECHO":
			fmt.Fprintf(c, "%s\r\n", rest)
		case "COUNT":
			n, _ := strconv.Atoi(rest)
			for i := range n {
				fmt.Fprintf(c, "* %d\r\n", i+1)
			}
			fmt.Fprintf(c, "OK counted\r\n")
		case "BYTES":
			n, _ := strconv.Atoi(rest)
			body := make([]byte, n)
			_, _ = io.ReadFull(r, body)
			fmt.Fprintf(c, "{%d}\r\n%s)\r\n", n, body)
		case "RAW":
			fmt.Fprintf(c, "%s\n", rest)
		case "TWO":
			fmt.Fprintf(c, "one\r\ntwo\r\n")
		case "STARTTLS":
			fmt.Fprintf(c, "OK go\r\n")
			t := tls.Server(c, y.cert)
			c, r = t, bufio.NewReader(t)
		case "EARLY":
			fmt.Fprintf(c, "OK go\r\n* too soon\r\n")
		case "SILENCE":
		case "QUIT":
			return
		default:
			fmt.Fprintf(c, "BAD %q\r\n", word)
		}
	}
}

// shouting is a hand-over that anyone can see: it sends in capitals.
type shouting struct{ net.Conn }

func (s shouting) Write(b []byte) (int, error) {
	return s.Conn.Write([]byte(strings.ToUpper(string(b))))
}

// testTLS makes a certificate for the name toy, and configurations for both ends.
func testTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"toy"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "toy"}
}

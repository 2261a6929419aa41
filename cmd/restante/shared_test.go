package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/restante/restante/internal/config"
)

// TestSharedPort asks the one port for each of the servers, in each of the ways.
func TestSharedPort(t *testing.T) {
	t.Parallel()
	r := openTestRelay(t, func(cfg *config.Config) { cfg.Listen.Shared = true })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.tls.CA())
	domain := r.cfg.Domain
	tests := []struct {
		name, sni string
		alpn      []string
		greeting  string // "" is that of the pages, which wait for a request
	}{
		{"IMAP by ALPN", domain, []string{"imap"}, "* OK "},
		{"SMTP by ALPN", domain, []string{"smtp"}, "220 "},
		{"IMAP by name", "imap." + domain, nil, "* OK "},
		{"SMTP by name", "smtp." + domain, nil, "220 "},
		{"pages by ALPN", domain, []string{"h2", "http/1.1"}, ""},
		{"pages by ALPN under another name", "imap." + domain, []string{"http/1.1"}, ""},
		{"pages by nothing", domain, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := tls.Dial("tcp", r.ready().HTTPS, &tls.Config{RootCAs: roots, ServerName: test.sni, NextProtos: test.alpn})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			if test.greeting == "" {
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+domain+"\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				answer, err := http.ReadResponse(in, nil)
				if err != nil || answer.StatusCode != http.StatusOK {
					t.Fatalf("%v, %v", answer, err)
				}
				return
			}
			line, err := in.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, test.greeting) {
				t.Errorf("got %q, %v; want %q", line, err, test.greeting)
			}
		})
	}
}

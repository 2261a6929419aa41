//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// bench is a running relay with two accounts, and a mail of 4 KiB from the first
// to the second.
type bench struct {
	ready
	tls  *tls.Config
	mail []byte
}

func newBench(b *testing.B) *bench {
	b.Helper()
	return newBenchOn(b, relayOptions{unlimited: true})
}

func newBenchOn(b *testing.B, o relayOptions) *bench {
	b.Helper()
	o.names = []string{"127.0.0.1"}
	ctx, stop := context.WithCancel(context.Background())
	dir := b.TempDir()
	cfg := demoConfig(dir, "")
	r, err := openRelay(ctx, cfg, slog.New(slog.DiscardHandler), func(string) string { return "" }, o)
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			b.Error(err)
		}
		if err := r.close(); err != nil {
			b.Error(err)
		}
	})
	x := &bench{ready: r.ready()}
	if x.Accounts, err = demoAccounts(ctx, r, dir, 2); err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.tls.CA())
	x.tls = &tls.Config{RootCAs: roots, ServerName: "localhost"}
	x.mail = encryptedMail(b, x.Accounts[0].Address, x.Accounts[1].Address)
	return x
}

// encryptedMail is a PGP/MIME mail of about 4 KiB.
func encryptedMail(b *testing.B, from, to string) []byte {
	b.Helper()
	key, err := pgp.Generate(addr.MustParse(to), pgp.KeyOptions{Profile: pgp.Classic})
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 2300)
	rand.Read(text)
	var mail bytes.Buffer
	err = key.Compose(&mail, pgp.Draft{
		From: addr.MustParse(from), To: []addr.Address{addr.MustParse(to)}, Certs: []*pgp.Cert{key.Cert()},
		Header: []pgp.Field{{Name: "Date", Value: "Mon, 23 Nov 2026 14:00:00 +0000"}, {Name: "Message-ID", Value: "<1@bench.invalid>"}},
		Entity: strings.NewReader(fmt.Sprintf("Content-Type: text/plain\r\n\r\n%.900x\r\n", text)),
	})
	if err != nil {
		b.Fatal(err)
	}
	return mail.Bytes()
}

var benchID = regexp.MustCompile(`<1@bench\.invalid>`)

// numbered is the mail with a Message-ID of its own, so that it is no repetition.
func (x *bench) numbered(n int64) []byte {
	return benchID.ReplaceAllLiteral(x.mail, fmt.Appendf(nil, "<%d@bench.invalid>", n))
}

func (x *bench) submitter(b *testing.B) *smtp.Client {
	b.Helper()
	c, err := smtp.DialTLS(x.SMTPS, x.tls)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Auth(sasl.NewPlainClient("", x.Accounts[0].Address, x.Accounts[0].Password)); err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkSubmit is the whole way of a 4 KiB mail: TLS submission, gate, seal,
// durable, "250". Both ends run here.
func BenchmarkSubmit(b *testing.B) {
	for _, senders := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			x := newBench(b)
			clients := make([]*smtp.Client, senders)
			for i := range clients {
				clients[i] = x.submitter(b)
				defer clients[i].Close()
			}
			b.SetBytes(int64(len(x.mail)))
			var n atomic.Int64
			var sending sync.WaitGroup
			b.ResetTimer()
			for _, c := range clients {
				sending.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						if err := c.SendMail(x.Accounts[0].Address, []string{x.Accounts[1].Address}, bytes.NewReader(x.numbered(i))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			sending.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkPush is the time from "250" in the sender's hands to EXISTS in those
// of a client that waits in IDLE.
func BenchmarkPush(b *testing.B) {
	x := newBench(b)
	c := x.submitter(b)
	defer c.Close()
	exists := x.idle(b)
	var lags []time.Duration
	b.ResetTimer()
	for i := range b.N {
		if err := c.SendMail(x.Accounts[0].Address, []string{x.Accounts[1].Address}, bytes.NewReader(x.numbered(int64(i)+1))); err != nil {
			b.Fatal(err)
		}
		accepted := time.Now()
		lags = append(lags, (<-exists).Sub(accepted))
	}
	slices.Sort(lags)
	b.ReportMetric(float64(lags[len(lags)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(lags[len(lags)*99/100].Microseconds()), "µs-p99")
}

// idle logs the second account in, waits in IDLE, and passes on when each EXISTS
// arrives.
func (x *bench) idle(b *testing.B) <-chan time.Time {
	b.Helper()
	conn, err := tls.Dial("tcp", x.IMAPS, x.tls)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	lines := bufio.NewReader(conn)
	a := x.Accounts[1]
	for _, command := range []string{"a LOGIN " + a.Address + " " + a.Password, "b SELECT INBOX", "c IDLE"} {
		tag, _, _ := strings.Cut(command, " ")
		if tag == "c" {
			tag = "+"
		}
		talk(b, conn, lines, command, tag)
	}
	arrivals := make(chan time.Time, 1)
	go func() {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasSuffix(line, "EXISTS\r\n") {
				arrivals <- time.Now()
			}
		}
	}()
	return arrivals
}

// talk sends a line and reads up to the answer that begins with tag.
func talk(b *testing.B, conn net.Conn, lines *bufio.Reader, command, tag string) {
	b.Helper()
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		b.Fatal(err)
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if strings.HasPrefix(line, tag+" NO") || strings.HasPrefix(line, tag+" BAD") {
			b.Fatal(line)
		}
		if strings.HasPrefix(line, tag) {
			return
		}
	}
}

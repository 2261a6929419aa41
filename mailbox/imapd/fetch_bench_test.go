package imapd_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

const (
	benchMessages = 1000
	benchSize     = 4 << 10
)

// BenchmarkFetch measures a FETCH of 1,000 messages of 4 KiB by one client, over a
// pipe and over TLS on loopback. The client only reads.
func BenchmarkFetch(b *testing.B) {
	w := newWorld(b)
	address := w.serveTLS(b)
	created := w.account(b, "b@example.org")
	w.fill(b, created)
	for _, over := range []struct {
		name string
		dial func() net.Conn
	}{
		{"pipe", func() net.Conn { return w.dialPipe(b) }},
		{"tls", func() net.Conn { return dialTLS(b, address) }},
	} {
		for _, what := range []struct{ name, items string }{
			{"bodies", "(UID BODY.PEEK[])"},
			{"envelopes", "(ENVELOPE FLAGS)"},
			{"flags", "(UID FLAGS)"},
			{"structures", "(BODYSTRUCTURE)"},
			{"deltachat", "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM CONTENT-TYPE CHAT-VERSION)])"},
		} {
			b.Run(over.name+"/"+what.name, func(b *testing.B) {
				c := newClient(b, over.dial()).enter(created)
				c.ok("SELECT INBOX")
				benchCommand(b, c.nc, "UID FETCH", "1:* "+what.items)
			})
		}
	}
}

// BenchmarkSearch measures a SEARCH through the same messages over a pipe, by what
// it has to open.
func BenchmarkSearch(b *testing.B) {
	w := newWorld(b)
	created := w.account(b, "b@example.org")
	w.fill(b, created)
	for _, by := range []struct{ name, keys string }{
		{"flags", "RETURN (COUNT) UNSEEN NOT DELETED"},
		{"subject", "RETURN (COUNT) SUBJECT m999"},
		{"body", "RETURN (COUNT) BODY nothing-of-the-kind"},
	} {
		b.Run(by.name, func(b *testing.B) {
			c := newClient(b, w.dialPipe(b)).enter(created)
			c.ok("SELECT INBOX")
			benchCommand(b, c.nc, "UID SEARCH", by.keys)
		})
	}
}

func benchCommand(b *testing.B, nc net.Conn, command, args string) {
	_ = nc.SetDeadline(time.Time{})
	octets, cpu := int64(0), processorTime(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fmt.Fprintf(nc, "bench %s %s\r\n", command, args); err != nil {
			b.Fatal(err)
		}
		n, err := drain(nc, "bench OK "+command+" completed\r\n")
		if err != nil {
			b.Fatal(err)
		}
		octets += n
	}
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(b.N)*benchMessages/seconds, "msg/s")
	b.ReportMetric(float64((processorTime(b)-cpu).Nanoseconds())/1e3/float64(b.N*benchMessages), "cpu-µs/msg")
	b.ReportMetric(float64(octets)/1e6/seconds, "MB/s")
}

// drain reads up to the answer, and returns how much that was.
func drain(nc net.Conn, answer string) (octets int64, err error) {
	var buf [64 << 10]byte
	kept := 0 // of what came before, as much as the answer is long
	for {
		n, err := nc.Read(buf[kept:])
		if err != nil {
			return octets, err
		}
		octets += int64(n)
		got := buf[:kept+n]
		if bytes.HasSuffix(got, []byte(answer)) {
			return octets, nil
		}
		kept = copy(buf[:], got[max(0, len(got)-len(answer)):])
	}
}

// fill puts messages into INBOX and waits until each is wrapped under the owner's
// key, as they are after the first SELECT.
func (w *world) fill(b *testing.B, created mailbox.Created) {
	b.Helper()
	x := w.login(b, created)
	for i := range benchMessages {
		text := message(fmt.Sprint("m", i))
		text += strings.Repeat("A line of text, as long as lines of text are.\r\n", 1+(benchSize-len(text))/47)[:benchSize-len(text)]
		m, err := w.Receive(b.Context(), strings.NewReader(text), mailbox.ReceiveOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Append(b.Context(), mailbox.Inbox, mailbox.Append{Message: m}); err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
	table, err := x.Open(b.Context(), mailbox.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	defer table.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		fresh, err := w.store.Unwrapped(b.Context(), created.Account, mailbox.Inbox, 0, 1)
		if err != nil {
			b.Fatal(err)
		}
		if len(fresh) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			b.Fatalf("message %d is still not wrapped", fresh[0].UID)
		}
	}
}

// dialTLS connects with TLS from the beginning.
func dialTLS(tb testing.TB, address string) net.Conn {
	tb.Helper()
	_, config := testTLS()
	nc, err := tls.Dial("tcp", address, config)
	if err != nil {
		tb.Fatal(err)
	}
	return nc
}

package gateway

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/restante/restante/mailbox"
)

// fill puts mails of 2 KiB into a session's INBOX; seal makes what is stored of them.
func fill(b *testing.B, s *mailbox.Service, x *mailbox.Session, count int, seal func(header, body string) string) {
	b.Helper()
	body := strings.Repeat("A line of a mail that says nothing, forty times.\r\n", 40)
	for n := 0; n < count; {
		var list []mailbox.Append
		for range min(200, count-n) {
			header := fmt.Sprintf("From: <a@x.test>\r\nTo: <a@x.test>\r\nSubject: mail-%d\r\nMessage-ID: <mail-%[1]d@x.test>\r\nContent-Type: text/plain\r\n", n)
			m, err := s.Receive(b.Context(), strings.NewReader(seal(header, body)), mailbox.ReceiveOptions{})
			must(b, err)
			list = append(list, mailbox.Append{Message: m})
			n++
		}
		_, err := x.Append(b.Context(), mailbox.Inbox, list...)
		must(b, err)
		for _, a := range list {
			must(b, a.Message.Close())
		}
	}
}

// usage is what the process has used of processors, and the most of memory, in MiB.
func usage(b *testing.B) (processor time.Duration, peak int) {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	status, err := os.ReadFile("/proc/self/status")
	must(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &peak); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), peak >> 10
}

func resetPeak(b *testing.B) {
	b.Helper()
	must(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
}

// mails is how many mails BenchmarkFirstSync has: `go test -bench FirstSync ./gateway -mails 50000`.
var mails = flag.Int("mails", 10_000, "mails in the account of BenchmarkFirstSync")

// BenchmarkFirstSync takes in an account with many mails from the relay, which is in
// the same process: each is fetched over TLS, decrypted, verified and stored. Then it
// searches, with the whole gateway running.
func BenchmarkFirstSync(b *testing.B) {
	count := *mails
	relay := newRelay(b)
	account := relay.account(b, "alice")
	h := newHome(b, account)
	x, err := relay.service.Login(b.Context(), mailbox.Login{User: account.Address, Secret: account.Password})
	must(b, err)
	defer x.Close()
	fill(b, relay.service, x, count, func(header, body string) string {
		var mail bytes.Buffer
		must(b, sealToSelf(&mail, h.Identity(), []byte(header), strings.NewReader(body), time.Now()))
		return mail.String()
	})
	resetPeak(b)
	before, _ := usage(b)
	for range b.N {
		begun := time.Now()
		must(b, h.syncWithin(b, time.Hour))
		b.ReportMetric(float64(count)/time.Since(begun).Seconds(), "mails/s")
	}
	after, peak := usage(b)
	b.ReportMetric(float64((after-before).Microseconds())/1000/float64(count), "cpu-ms/mail")
	b.ReportMetric(float64(peak), "peak-MiB")
	again, _ := usage(b)
	must(b, h.syncWithin(b, time.Minute))
	idle, _ := usage(b)
	b.ReportMetric(float64((idle-again).Microseconds())/1000, "cpu-ms-of-a-cycle-without-news")
	b.ReportMetric(float64(h.searchRunning(b, requestsName)), "peak-MiB-searching") // their sender is a stranger
}

// searchRunning runs the whole gateway, searches a mailbox as a client, and returns the
// most memory that the process had meanwhile.
func (h *home) searchRunning(b *testing.B, mailbox string) (peak int) {
	b.Helper()
	must(b, h.searcher.round(b.Context()))
	ln := listenLoopback(b)
	defer serve(b, func(ctx context.Context) error { return h.ServeIMAP(ctx, ln) })()
	defer serve(b, h.Run)()
	debug.FreeOSMemory()
	resetPeak(b)
	c, err := imapclient.DialInsecure(ln.Addr().String(), nil)
	must(b, err)
	defer c.Close()
	must(b, c.Login(h.Local().User, h.Local().Password).Wait())
	_, err = c.Select(mailbox, nil).Wait()
	must(b, err)
	for n := range 50 {
		found, err := c.UIDSearch(&imap.SearchCriteria{Text: []string{[]string{"forty", "mail-1", "no", "nowhere"}[n%4]}}, nil).Wait()
		must(b, err)
		if n == 0 && len(found.AllUIDs()) == 0 {
			b.Fatal("nothing was found: the benchmark tries nothing")
		}
	}
	_, peak = usage(b)
	return peak
}

// BenchmarkStart opens a gateway with 50,000 mails, from the vault's file to the answer to
// a client's SELECT. Then it runs and searches: what memory that takes is the process's,
// with a relay in it that has nothing to do.
func BenchmarkStart(b *testing.B) {
	const count = 50_000
	h := newHome(b, newRelay(b).account(b, "alice"))
	fill(b, h.Local().Service, h.Local().Session, count, func(header, body string) string { return header + "\r\n" + body })
	must(b, h.searcher.round(b.Context()))
	for b.Loop() {
		b.StopTimer()
		h.close(b)
		b.StartTimer()
		h.unlock(b)
		h.open(b)
		ln := listenLoopback(b)
		stop := serve(b, func(ctx context.Context) error { return h.ServeIMAP(ctx, ln) })
		c, err := imapclient.DialInsecure(ln.Addr().String(), nil)
		must(b, err)
		must(b, c.Login(h.Local().User, h.Local().Password).Wait())
		selected, err := c.Select("INBOX", nil).Wait()
		must(b, err)
		if selected.NumMessages != count {
			b.Fatalf("%d messages", selected.NumMessages)
		}
		b.StopTimer()
		must(b, c.Close())
		stop()
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(h.searchRunning(b, "INBOX")), "peak-MiB-searching")
}

package imapd_test

import (
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// BenchmarkSessions measures what each further session costs that has a mailbox of
// 50,000 messages selected; the goal is 200 KiB.
func BenchmarkSessions(b *testing.B) {
	const messages, sessions = 50_000, 150
	w := newWorld(b)
	created := w.account(b, "b@example.org")
	w.crowd(b, created, messages)
	enter := func() *client {
		c := newClient(b, w.dialPipe(b)).enter(created)
		c.ok("SELECT INBOX")
		c.ok("UID FETCH 1:1000 FLAGS")
		return c
	}
	first := enter() // the table is everybody's
	before := measure()
	var list []*client
	for range sessions {
		list = append(list, enter())
	}
	after := measure()
	for b.Loop() {
		first.ok("NOOP")
	}
	for _, c := range list {
		c.ok("NOOP")
	}
	b.ReportMetric(float64(after.heap-before.heap)/sessions, "heap-B/session")
}

// crowd puts messages into INBOX that are only to be counted, not opened.
func (w *world) crowd(tb testing.TB, c mailbox.Created, n int) {
	tb.Helper()
	const atOnce = 1000
	for range n / atOnce {
		list := make([]mailbox.Delivery, atOnce)
		for i := range list {
			blob := seal.NewBlobID()
			body, err := w.store.CreateBody(tb.Context(), c.Account, blob, 1)
			if err != nil {
				tb.Fatal(err)
			}
			if _, err := body.Write([]byte("b")); err != nil {
				tb.Fatal(err)
			}
			if err := body.Commit(); err != nil {
				tb.Fatal(err)
			}
			list[i] = mailbox.Delivery{
				Account: c.Account, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob, Key: []byte("key"),
				Envelope: []byte("envelope"), Body: body, Size: 1, Day: mailbox.DayOf(now()),
			}
		}
		if _, err := w.store.Accept(tb.Context(), list); err != nil {
			tb.Fatal(err)
		}
	}
}

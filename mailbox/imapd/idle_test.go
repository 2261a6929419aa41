package imapd_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/mailbox"
)

// TestIdleLosesNothing has mail arrive while a client goes in and out of IDLE. Each
// round of IDLE must bring news, or the test waits in vain; no round may miss any.
func TestIdleLosesNothing(t *testing.T) {
	t.Parallel()
	const mails = 60
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	c := w.dial(t).enter(created)
	c.ok("SELECT INBOX")
	var sender sync.WaitGroup
	defer sender.Wait()
	sender.Go(func() {
		for i := range mails {
			if err := w.deliver(t.Context(), "b@example.org", message(fmt.Sprint("m", i))); err != nil {
				t.Error(err)
			}
		}
	})
	for seen := 0; seen < mails; {
		c.send("a IDLE")
		for line := ""; !strings.HasSuffix(line, " EXISTS"); {
			line = c.line()
			seen = max(seen, exists(line))
		}
		c.send("DONE")
		for line := ""; line != "a OK IDLE completed"; {
			line = c.line()
			seen = max(seen, exists(line))
		}
	}
}

// exists returns the number of an EXISTS response, or 0.
func exists(line string) (n int) {
	if strings.HasSuffix(line, " EXISTS") {
		_, _ = fmt.Sscanf(line, "* %d EXISTS", &n)
	}
	return n
}

// TestManyClients has clients of one account change one mailbox all at once. When
// all is quiet they must agree with each other and with the store.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	for i := range 20 {
		if err := w.deliver(t.Context(), "b@example.org", message(fmt.Sprint("m", i))); err != nil {
			t.Fatal(err)
		}
	}
	var clients []*mirror
	for range 4 {
		clients = append(clients, newMirror(t, w.dial(t).enter(created)))
	}
	var all sync.WaitGroup
	for i, m := range clients {
		all.Go(func() { m.work(uint64(i), 60) })
	}
	all.Wait()
	x := w.login(t, created)
	for i, m := range clients {
		m.compare(fmt.Sprint("client ", i), x)
	}
}

// rowsOf returns the messages of INBOX.
func rowsOf(tb testing.TB, x *mailbox.Session) []mailbox.Row {
	tb.Helper()
	table, err := x.Open(tb.Context(), mailbox.Inbox)
	if err != nil {
		tb.Fatal(err)
	}
	defer table.Close()
	return table.Rows(nil, mailbox.AllUIDs())
}

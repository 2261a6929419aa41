package imapd_test

import (
	"fmt"
	"testing"
)

// BenchmarkOneByOne measures what a client costs that selects a mailbox for each
// message, fetches it, deletes it and closes the mailbox, as Delta Chat does, with so
// many other messages there. Every op brings one message in first.
func BenchmarkOneByOne(b *testing.B) {
	for _, messages := range []int{0, 1_000, 50_000} {
		b.Run(fmt.Sprintf("messages=%d", messages), func(b *testing.B) {
			w := newWorld(b)
			created := w.account(b, "b@example.org")
			w.crowd(b, created, messages)
			c := w.dial(b).enter(created)
			text := message("one")
			for b.Loop() {
				c.ok("APPEND INBOX {%d+}\r\n%s", len(text), text)
				c.ok("SELECT INBOX")
				c.ok("UID FETCH * (FLAGS BODY.PEEK[])")
				c.ok(`STORE * +FLAGS (\Deleted)`)
				c.ok("CLOSE")
			}
		})
	}
}

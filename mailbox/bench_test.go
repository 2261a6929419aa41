package mailbox_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// BenchmarkDeliver takes in, seals and stores messages of 4 KiB. Several senders
// share commits.
func BenchmarkDeliver(b *testing.B) {
	w := newWorld(b)
	w.account(b, "b@example.org")
	to := w.recipients(b, "b@example.org")
	text := message("bench", 51)
	var n counter
	deliver := func() {
		one := strings.Replace(text, "<bench@", fmt.Sprintf("<bench%d@", n.next()), 1)
		m, err := w.Receive(b.Context(), strings.NewReader(one), mailbox.ReceiveOptions{})
		if err != nil {
			b.Error(err)
			return
		}
		defer m.Close()
		if err := w.Deliver(b.Context(), addr.MustParse("a@example.net"), to, m); err != nil {
			b.Error(err)
		}
	}
	b.Run("senders=1", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			deliver()
		}
	})
	b.Run("senders=16", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				deliver()
			}
		})
	})
}

// listed is how many messages a mailbox has that is listed.
const listed = 10_000

// fill puts many messages into INBOX, and wraps them.
func fill(b *testing.B, w *world, wrap bool) *mailbox.Session {
	b.Helper()
	x, _ := w.owner(b, "b@example.org")
	batch := make([]mailbox.Append, 500)
	for i := range batch {
		batch[i].Message = w.receive(b, message(fmt.Sprint("message-", i), 5))
	}
	for range listed / len(batch) {
		if _, err := x.Append(b.Context(), mailbox.Inbox, batch...); err != nil {
			b.Fatal(err)
		}
	}
	if wrap {
		open(b, x, mailbox.Inbox)
		until(b, func() bool { return w.stages(b, x, mailbox.Inbox)[mailbox.StageWrapped] == listed })
	}
	return x
}

// BenchmarkList opens the envelope data of 10,000 messages, as a client does that
// lists a mailbox.
func BenchmarkList(b *testing.B) {
	for _, stage := range both {
		b.Run(fmt.Sprint("stage=", stage), func(b *testing.B) {
			x := fill(b, newWorld(b), stage == mailbox.StageWrapped)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				err := x.Fetch(b.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
					_, err := i.Info()
					n++
					return err
				})
				if err != nil || n != listed {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/listed, "µs/message")
		})
	}
}

// BenchmarkOpen opens a mailbox of 10,000 messages that no session has open: cold
// as after a login, warm as in CLOSE and SELECT.
func BenchmarkOpen(b *testing.B) {
	for _, warm := range []bool{false, true} {
		b.Run(fmt.Sprint("warm=", warm), func(b *testing.B) {
			w := newWorld(b)
			x := fill(b, w, true)
			b.ReportAllocs()
			for b.Loop() {
				table, err := x.Open(b.Context(), mailbox.Inbox)
				if err != nil {
					b.Fatal(err)
				}
				table.Close()
				if !warm {
					w.TestOnlyForgetTables()
				}
			}
		})
	}
}

// BenchmarkRefresh is what a session does after each message that comes in.
func BenchmarkRefresh(b *testing.B) {
	w := newWorld(b)
	x := fill(b, w, true)
	table := open(b, x, mailbox.Inbox)
	change := mailbox.FlagChange{Set: []mailbox.UIDRange{{42, 42}}, Flags: mailbox.Seen}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		change.Flags ^= mailbox.Flagged
		if _, err := x.StoreFlags(b.Context(), mailbox.Inbox, change); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := table.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLogin is one login after the other, by each kind of secret, of an account
// that nobody was in for a while; "cached" is one more of an account with a session.
func BenchmarkLogin(b *testing.B) {
	w := newWorld(b, func(o *mailbox.Options) { o.Passwords = seal.DefaultParams })
	x, generated := w.owner(b, "generated@example.org")
	device, err := x.AddDevice(b.Context(), "phone")
	if err != nil {
		b.Fatal(err)
	}
	x.Close()
	if _, err := w.CreateAccount(b.Context(), addr.MustParse("chosen@example.org"), mailbox.NewAccountOptions{Password: "correct horse"}); err != nil {
		b.Fatal(err)
	}
	kept := w.account(b, "kept@example.org")
	defer w.login(b, kept).Close()
	by := func(user, secret string) func() (*mailbox.Session, error) {
		return func() (*mailbox.Session, error) {
			return w.Login(b.Context(), mailbox.Login{User: user, Secret: secret})
		}
	}
	for _, how := range []struct {
		name  string
		login func() (*mailbox.Session, error)
	}{
		{"cached", by("kept", kept.Secret)},
		{"generated", by("generated", generated.Secret)},
		{"device", by("generated", device)},
		{"SCRAM", w.scramLogins(b, "generated", generated.Secret)},
		{"password", by("chosen", "correct horse")},
	} {
		b.Run(how.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				w.clock.advance(time.Minute)
				w.TestOnlySweep(b.Context()) // forgets whom nobody is in
				b.StartTimer()
				x, err := how.login()
				if err != nil {
					b.Fatal(err)
				}
				x.Close()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
		})
	}
}

// scramLogins returns a client that derives its keys once, as clients do.
func (w *world) scramLogins(b *testing.B, user, secret string) func() (*mailbox.Session, error) {
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil {
		b.Fatal(err)
	}
	return func() (*mailbox.Session, error) {
		c, x := client.NewConversation(), w.SCRAM(mailbox.SCRAMOptions{})
		var message string
		for _, step := range []func(context.Context, []byte) ([]byte, error){x.First, x.Final} {
			answer, err := c.Step(message)
			if err != nil {
				return nil, err
			}
			reply, err := step(b.Context(), []byte(answer))
			if err != nil {
				return nil, err
			}
			message = string(reply)
		}
		if _, err := c.Step(message); err != nil {
			return nil, err
		}
		return x.Open(b.Context())
	}
}

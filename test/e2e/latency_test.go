//go:build e2e && speed

package e2e

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"
)

// latencyMails is how many messages go each way.
const latencyMails = 300

// TestSpeedLatency measures how long a message is on its way, from 250 in the hands of
// its sender: between two relays until the receiver's client in IDLE is told of it, and
// through Postfix until a server behind it has all of it. They take turns, message by
// message, so that the machine is as busy for one as for the other. Postfix has no
// TLS, login, signature or mailbox here.
//
//	go test -tags 'e2e speed' -run SpeedLatency -v ./test/e2e
func TestSpeedLatency(t *testing.T) {
	need(t, "postfix", "postfix")
	c := newCountry(t)
	here, there := c.found(t, "here.test", ""), c.found(t, "there.test", "")
	there.straight(t)
	alice, bob := here.citizen(t, "alice"), there.citizen(t, "bob")
	body := newGnuPG(t, []account{alice, bob}).discreet(t, alice, bob, speedText())
	sink, sunk := newSink(t)
	post := c.openSpeedPost(t, sink)
	foreign, err := smtp.Dial(fmt.Sprintf("%s:%d", post.ip, c.smtp))
	must(t, err)
	t.Cleanup(func() { foreign.Close() })

	ways := []*way{
		{name: "two relays", client: here.smtp(t, alice), from: alice.Address, to: bob.Address, there: there.arrivals(t, bob)},
		{name: "Postfix", client: foreign, from: "a@here.test", to: "b@sink.test", there: sunk},
	}
	for n := range latencyMails {
		for _, w := range ways {
			w.carry(t, messageID.ReplaceAllString(body, fmt.Sprintf("Message-ID: <%d@latency.invalid>", n)))
		}
	}
	for _, w := range ways {
		slices.SortFunc(w.took, cmp.Compare[time.Duration])
		t.Logf("%-10s median %v, p99 %v, slowest %v", w.name, w.took[latencyMails/2], w.took[latencyMails*99/100], w.took[latencyMails-1])
	}
	load, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	t.Logf("%d messages of %d bytes each way; load %s", latencyMails, len(body), load)
}

// A way is how messages go from somebody to somebody.
type way struct {
	name     string
	client   *smtp.Client
	from, to string
	there    <-chan time.Time // when one has arrived
	took     []time.Duration
}

// carry sends one message and waits for it. One that is there before its sender has
// read 250 took no time.
func (w *way) carry(t *testing.T, mail string) {
	t.Helper()
	must(t, send(w.client, w.from, w.to, mail))
	sent := time.Now()
	select {
	case at := <-w.there:
		w.took = append(w.took, max(0, at.Sub(sent)))
	case <-time.After(patience):
		t.Fatalf("by way of %s nothing came within %v", w.name, patience)
	}
}

// arrivals returns when a client in IDLE is told of messages.
func (r *relay) arrivals(t *testing.T, a account) <-chan time.Time {
	t.Helper()
	told := make(chan time.Time, latencyMails)
	c, err := imapclient.DialTLS(r.IMAPS, &imapclient.Options{TLSConfig: r.tls(t), UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(m *imapclient.UnilateralDataMailbox) {
			if m.NumMessages != nil {
				told <- time.Now()
			}
		}}})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.Login(a.Address, a.Password).Wait())
	_, err = c.Select("INBOX", nil).Wait()
	must(t, err)
	_, err = c.Idle()
	must(t, err)
	return told
}

// A sink takes mail, and tells when it has all of a message.
type sink chan time.Time

// newSink starts one.
func newSink(t *testing.T) (address string, sunk <-chan time.Time) {
	t.Helper()
	s := make(sink, latencyMails)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := smtp.NewServer(s)
	server.Domain = "sink.test"
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Close()
		<-served // it was closed
	})
	return ln.Addr().String(), s
}

func (s sink) NewSession(*smtp.Conn) (smtp.Session, error) { return s, nil }
func (sink) Mail(string, *smtp.MailOptions) error          { return nil }
func (sink) Rcpt(string, *smtp.RcptOptions) error          { return nil }
func (sink) Reset()                                        {}
func (sink) Logout() error                                 { return nil }

func (s sink) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s <- time.Now()
	return nil
}

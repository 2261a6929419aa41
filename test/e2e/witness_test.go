//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// witness is a session of go-imap's client that has a mailbox selected all the time
// while another client changes it, and says what it was told.
type witness struct {
	*imapclient.Client
	t *testing.T

	mu       sync.Mutex
	expunged []uint32
	flags    map[uint32][]string // by number, as they were told last
	exists   uint32
}

// watch opens a mailbox.
func watch(t *testing.T, r *relay, a account, mailbox string) *witness {
	t.Helper()
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the relay's CA is no certificate")
	}
	host, _ := hostPort(t, r.IMAPS)
	w := &witness{t: t, flags: map[uint32][]string{}}
	w.Client, err = imapclient.DialTLS(r.IMAPS, &imapclient.Options{
		TLSConfig: &tls.Config{RootCAs: roots, ServerName: host},
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{
			Expunge: w.onExpunge, Fetch: w.onFetch,
			Mailbox: func(m *imapclient.UnilateralDataMailbox) {
				if m.NumMessages != nil {
					w.mu.Lock()
					w.exists = *m.NumMessages
					w.mu.Unlock()
				}
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.must(w.Login(a.Address, a.Password).Wait())
	data, err := w.Select(mailbox, nil).Wait()
	w.must(err)
	w.exists = data.NumMessages
	return w
}

func (w *witness) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *witness) onExpunge(number uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expunged = append(w.expunged, number)
}

func (w *witness) onFetch(m *imapclient.FetchMessageData) {
	buffer, err := m.Collect()
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flags[m.SeqNum] = spell(buffer.Flags)
}

// spell sorts flags, without \Recent.
func spell(flags []imap.Flag) []string {
	var names []string
	for _, f := range flags {
		if f != `\Recent` {
			names = append(names, string(f))
		}
	}
	slices.Sort(names)
	return names
}

// told asks for what is new, and returns all that was told since forget, such as
// "1 \Seen, 3 gone". What go-imap's client reads in goroutines of its own may come
// with a later call.
func (w *witness) told() string {
	w.t.Helper()
	w.must(w.Noop().Wait())
	w.mu.Lock()
	defer w.mu.Unlock()
	var news []string
	for number, flags := range w.flags {
		news = append(news, fmt.Sprintf("%d %s", number, strings.Join(flags, " ")))
	}
	slices.Sort(news)
	for _, number := range w.expunged {
		news = append(news, fmt.Sprintf("%d gone", number))
	}
	return strings.Join(news, ", ")
}

func (w *witness) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flags, w.expunged = map[uint32][]string{}, nil
}

// want waits until the witness was told this since the last time, and nothing else.
func (w *witness) want(after, news string) {
	w.t.Helper()
	w.wait(after, news, func() bool { return w.told() == news })
	w.forget()
}

// wantGone waits until the second message is gone, whatever flags it got before.
func (w *witness) wantGone(after string) {
	w.t.Helper()
	w.wait(after, "2 gone", func() bool { return strings.HasSuffix(w.told(), "2 gone") })
	w.forget()
}

// wait waits until a condition holds.
func (w *witness) wait(after, news string, holds func() bool) {
	w.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-look.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %s the other session was told %q, want %q", after, w.told(), news)
		}
	}
}

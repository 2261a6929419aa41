package web_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/test/logbook"
	"github.com/restante/restante/web"
)

// relaySecret is the relay key of every test.
var relaySecret = [seal.RelaySecretSize]byte{7: 1}

// world is a relay with its pages on a socket, and a clock that stands still.
type world struct {
	service *mailbox.Service
	signup  *web.Signup
	server  *web.Server
	url     string
	clock   *clock
	log     *logbook.Book
}

// options are what tests change before a world begins.
type options struct {
	web    web.Options
	signup web.SignupOptions
}

// newWorld makes a world where anyone can sign up.
func newWorld(tb testing.TB, change ...func(*options)) *world {
	tb.Helper()
	w := &world{clock: newClock(), log: &logbook.Book{}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := options{
		signup: web.SignupOptions{Domain: "example.org", Policy: web.Open, Now: w.clock.Now},
		web: web.Options{
			Domain: "example.org", Hostname: "mail.example.org", Now: w.clock.Now, Log: log,
			Ports: web.Ports{IMAPS: 993, IMAP: 143, SMTPS: 465, Submission: 587},
			Peer:  func(net.Conn) mailbox.Peer { return "the network" },
		},
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if w.signup, err = web.NewSignup(o.signup); err != nil {
		tb.Fatal(err)
	}
	w.service = newService(tb, w, log)
	o.web.Service, o.web.Signup = w.service, w.signup
	if w.server, err = web.New(o.web); err != nil {
		tb.Fatal(err)
	}
	w.url = serve(tb, w.server)
	return w
}

// newService opens a store and a service above it.
func newService(tb testing.TB, w *world, log *slog.Logger) *mailbox.Service {
	tb.Helper()
	store, err := sqlstore.Open(tb.Context(), sqlstore.Options{
		Path: filepath.Join(tb.TempDir(), "mail.db"), CheckOnClose: true, Now: w.clock.Now, Log: log,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(relaySecret, id).Check() },
	})
	if err != nil {
		tb.Fatal(err)
	}
	service, err := mailbox.New(mailbox.Options{
		Store: store, Key: seal.NewRelayKey(relaySecret, store.ID()), Domain: "example.org", TempDir: tb.TempDir(),
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1}, Now: w.clock.Now, Wait: w.clock.Wait,
		Log: log, SignUp: w.signup.FirstLogin,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := service.Close(); err != nil {
			tb.Error(err)
		}
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return service
}

// serve serves on a free port of loopback until the end of the test, and returns
// the URL.
func serve(tb testing.TB, s *web.Server) string {
	tb.Helper()
	ln, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// clock is a time that only tests move. A wait moves it too.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// answer is a response whose body was read.
type answer struct {
	code   int
	header http.Header
	body   string
}

// client is what tests ask with: it keeps no cookies and follows no redirects.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do asks. Header lines are "Name: value".
func (w *world) do(tb testing.TB, method, path, body string, header ...string) answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	response, err := client.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func (w *world) get(tb testing.TB, path string) answer {
	tb.Helper()
	return w.do(tb, "GET", path, "")
}

// post sends a form.
func (w *world) post(tb testing.TB, path string, form url.Values) answer {
	tb.Helper()
	return w.do(tb, "POST", path, form.Encode(), "Content-Type: application/x-www-form-urlencoded")
}

// want ends the test if the answer has another status.
func (a answer) want(tb testing.TB, code int) answer {
	tb.Helper()
	if a.code != code {
		tb.Fatalf("got status %d, want %d:\n%s", a.code, code, a.text())
	}
	return a
}

// login opens a session as a mail program does, until the end of the test.
func (w *world) login(tb testing.TB, user, secret string) *mailbox.Session {
	tb.Helper()
	x, err := w.service.Login(tb.Context(), mailbox.Login{User: user, Secret: secret})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(x.Close)
	return x
}

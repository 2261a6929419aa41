package push_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/push"
	"github.com/restante/restante/test/logbook"
)

// tokens keeps push tokens in memory.
type tokens struct {
	mu  sync.Mutex
	all map[mailbox.AccountID][]mailbox.PushToken
}

func (k *tokens) PushTokens(_ context.Context, id mailbox.AccountID) ([]mailbox.PushToken, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all[id]), nil
}

func (k *tokens) DropPushToken(_ context.Context, id mailbox.AccountID, t mailbox.PushToken) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[id] = slices.DeleteFunc(k.all[id], func(o mailbox.PushToken) bool { return o == t })
	return nil
}

// proxy is a push proxy that answers with what a test wants, and tells of each
// request.
type proxy struct {
	server *httptest.Server
	asked  chan *http.Request // with the body read
	answer chan int           // status of the next answers; then 200
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{asked: make(chan *http.Request, 99), answer: make(chan int, 99)}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		code := http.StatusOK
		select {
		case code = <-p.answer:
		default:
		}
		if code == http.StatusTemporaryRedirect {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(code)
		p.asked <- r
	}))
	t.Cleanup(p.server.Close)
	return p
}

// next returns the body of the next request, which must be nothing but a token.
func (p *proxy) next(t *testing.T) string {
	t.Helper()
	select {
	case r := <-p.asked:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/notify" || r.Header.Get("User-Agent") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("the request is %s %s %v", r.Method, r.URL, r.Header)
		}
		return string(body)
	case <-time.After(20 * time.Second):
		t.Fatal("the proxy is not asked")
	}
	return ""
}

// run starts a notifier until the end of the test. Waits take no time, and are told.
func run(t *testing.T, p *proxy, k *tokens, log io.Writer) (*push.Notifier, chan time.Duration) {
	t.Helper()
	waits := make(chan time.Duration, 99)
	n, err := push.New(push.Options{
		URL: p.server.URL + "/notify", Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Wait: func(ctx context.Context, d time.Duration) error { waits <- d; return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx, k) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n, waits
}

func TestWake(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	k := &tokens{all: map[mailbox.AccountID][]mailbox.PushToken{7: {"fcm-one", "apns-two"}, 8: {"other"}}}
	n, _ := run(t, p, k, io.Discard)
	n.Wake(7)
	got := []string{p.next(t), p.next(t)}
	if !slices.Equal(got, []string{"fcm-one", "apns-two"}) {
		t.Errorf("the proxy got %q", got)
	}
	n.Wake(6) // nobody
	n.Wake(8)
	if got := p.next(t); got != "other" {
		t.Errorf("the proxy got %q", got)
	}
}

// TestTryAgain: a proxy that is down for a while gets the notification later, and
// others are not kept waiting.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for _, code := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusTemporaryRedirect} {
		p.answer <- code
	}
	k := &tokens{all: map[mailbox.AccountID][]mailbox.PushToken{7: {"one"}}}
	n, waits := run(t, p, k, io.Discard)
	n.Wake(7)
	for range 4 {
		if got := p.next(t); got != "one" {
			t.Errorf("the proxy got %q", got)
		}
	}
	for _, want := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute} {
		if got := <-waits; got != want {
			t.Errorf("waited for %v, want %v", got, want)
		}
	}
}

// TestStale: a token that the proxy does not know any more is forgotten.
func TestStale(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	p.answer <- http.StatusGone
	k := &tokens{all: map[mailbox.AccountID][]mailbox.PushToken{7: {"stale", "good"}}}
	n, _ := run(t, p, k, io.Discard)
	n.Wake(7)
	p.next(t)
	if got := p.next(t); got != "good" {
		t.Errorf("the proxy got %q", got)
	}
	left, err := k.PushTokens(t.Context(), 7)
	if err != nil || len(left) != 1 || left[0] != "good" {
		t.Errorf("left are %q, %v", left, err)
	}
}

// TestTogether: mail that comes while an account waits is in the same notification.
func TestTogether(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	k := &tokens{all: map[mailbox.AccountID][]mailbox.PushToken{7: {"one"}, 8: {"last"}}}
	n, err := push.New(push.Options{URL: p.server.URL + "/notify", Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		n.Wake(7)
	}
	n.Wake(8)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx, k) }()
	if got := p.next(t) + p.next(t); got != "onelast" {
		t.Errorf("the proxy got %q", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestNothingIsLogged: neither tokens nor what the proxy says.
func TestNothingIsLogged(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for range 9 {
		p.answer <- http.StatusInternalServerError
	}
	log := &logbook.Book{}
	n, _ := run(t, p, &tokens{all: map[mailbox.AccountID][]mailbox.PushToken{7: {"marked-token"}}}, log)
	n.Wake(7)
	for range 5 {
		p.next(t)
	}
	if text := log.String(); strings.Contains(text, "marked") || !strings.Contains(text, "status 500") {
		t.Errorf("the log is\n%s", text)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "notify", "ftp://push.example.net/", "https://"} {
		if _, err := push.New(push.Options{URL: url}); err == nil {
			t.Errorf("%q is taken for a proxy", url)
		}
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/config"
)

// openTestRelay runs a relay on loopback until the test ends.
func openTestRelay(t *testing.T, change func(*config.Config)) *relay {
	t.Helper()
	cfg := demoConfig(t.TempDir(), "")
	change(cfg)
	r, err := openRelay(t.Context(), cfg, slog.New(slog.DiscardHandler), func(string) string { return "" }, relayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, r.close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := openTestRelay(t, func(cfg *config.Config) {
		cfg.Listen.Metrics = config.Listener{Address: "127.0.0.1:0", Network: "shared"}
	})
	if _, err := (direct{r.service, r.cfg.Domain}).do(t.Context(), adminRequest{Op: opNew, Ref: "marked-name"}); err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		t.Helper()
		answer, err := http.Get("http://" + r.ready().Metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, answer.Status, err)
		}
		return string(text)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := get(path); got != "ok\n" {
			t.Errorf("%s: got %q", path, got)
		}
	}
	text := get("/metrics")
	for _, want := range []string{
		"\nrestante_accounts 1\n", "# TYPE restante_store_commits_total counter\n", "\nrestante_connections{port=\"metrics\"} ",
		"\nrestante_messages_total{from=\"mx\",outcome=\"not_encrypted\"} 0\n", "\nrestante_certificate_seconds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	for _, secret := range []string{"marked-name", r.cfg.Domain, "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics tell %q", secret)
		}
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	r := openTestRelay(t, func(*config.Config) {})
	if err := r.well(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as when the store takes too long
	if err := r.well(ctx); !errors.Is(err, errUnwell) {
		t.Errorf("got %v for a store that does not answer", err)
	}
}

func TestLiveView(t *testing.T) {
	t.Parallel()
	kept := func(n float64) []measure {
		return []measure{
			{Name: "restante_messages_total", Grows: true, Labels: []string{"from", "mx", "outcome", "kept"}, Value: n},
			{Name: "restante_store_commits_total", Grows: true, Value: n / 4},
			{Name: "restante_store_requests_total", Grows: true, Value: n},
			{Name: "restante_store_commit_seconds_total", Grows: true, Value: n / 1000},
			{Name: "restante_connections", Labels: []string{"port", "imaps"}, Value: 7},
		}
	}
	text := viewText(kept(100), kept(300), 2*time.Second)
	for _, want := range []string{"\nmx          100.0/s ", "25.0/s, of 4.0 requests and 4.0 ms each", "\nimaps  7 "} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

func TestTopNeedsARelay(t *testing.T) {
	t.Parallel()
	v := &liveView{ask: answering(adminReply{}), out: io.Discard}
	if err := v.run(t.Context(), time.Millisecond, 1); err == nil || !strings.Contains(err.Error(), "restante serve") {
		t.Errorf("got %v, want how to start a relay", err)
	}
}

// answering gives one reply to everything.
type answering adminReply

func (a answering) do(context.Context, adminRequest) (adminReply, error) { return adminReply(a), nil }

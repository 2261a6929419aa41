package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const secret = "alice@example.org"

// An open value says what it holds to slog.
type open struct{ depth int }

func (o open) LogValue() slog.Value {
	if o.depth > 0 {
		return slog.AnyValue(open{o.depth - 1})
	}
	return slog.GroupValue(slog.String("address", secret), slog.Int("n", 1))
}

// A stringer says what it holds to fmt; the nil one panics.
type stringer struct{ text string }

func (s *stringer) String() string { return s.text }

// A texter says what it holds to encoding, or fails to.
type texter struct{ text string }

func (x texter) MarshalText() ([]byte, error) {
	if x.text == "" {
		return nil, errors.New("nothing from " + secret)
	}
	return []byte(x.text), nil
}

type (
	named   string
	ordinal int
	flags   uint8
	share   float32
	whether bool
)

func TestValues(t *testing.T) {
	t.Parallel()
	deep := fmt.Errorf("outer: %w", errors.Join(errors.New("inner 192.0.2.1"), io.EOF))
	tests := []struct {
		name  string
		value any
		want  any // as JSON reads it
	}{
		{"string", "for " + secret, "for [redacted]"},
		{"number", 5, 5.0},
		{"float", 1.5, 1.5},
		{"bool", true, true},
		{"duration", time.Second, 1e9},
		{"nil", nil, nil},
		{"error", errors.New("user " + secret), "user [redacted]"},
		{"wrapped errors", deep, "outer: inner [redacted]\nEOF"},
		{"net error", &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{IP: net.IP{192, 0, 2, 1}, Port: 5}, Err: io.EOF}, "read tcp [redacted] EOF"},
		{"valuer", open{}, map[string]any{"address": "[redacted]", "n": 1.0}},
		{"valuer of valuers", open{3}, map[string]any{"address": "[redacted]", "n": 1.0}},
		{"group", slog.GroupValue(slog.Group("in", slog.Any("e", errors.New(secret)))), map[string]any{"in": map[string]any{"e": "[redacted]"}}},
		{"stringer", &stringer{secret}, "[redacted]"},
		{"nil stringer", (*stringer)(nil), "<nil>"},
		{"address", netip.MustParseAddr("2001:db8::1"), "[redacted]"},
		{"bytes", []byte(secret), "[redacted]"},
		{"strings", []string{"a", secret}, "[a [redacted]]"},
		{"errors", []error{errors.New(secret)}, "[[redacted]]"},
		{"texter", texter{secret + "!"}, "[redacted]"},
		{"failing texter", texter{}, "[redacted]"},
		{"named string", named(secret), "[redacted]"},
		{"named numbers", ordinal(7), 7.0},
		{"named unsigned", flags(7), 7.0},
		{"named float", share(0.5), 0.5},
		{"named bool", whether(true), true},
		{"struct", struct{ Who string }{"nobody"}, "[redacted]"},
		{"pointer to struct", &struct{ Who string }{"nobody"}, "[redacted]"},
		{"map", map[string]string{"a": "nobody"}, "[redacted]"},
		{"function", func() {}, "[redacted]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			log := slog.New(NewHandler(slog.NewJSONHandler(&b, nil)))
			log.Info("m", "k", test.value)
			log.With("k", test.value).Info("m") // the other way in
			for line := range strings.Lines(b.String()) {
				var got map[string]any
				if err := json.Unmarshal([]byte(line), &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got["k"]); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestMessagesKeysAndGroups(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(NewHandler(slog.NewTextHandler(&b, nil)))
	log.WithGroup("from "+secret).With(secret, 1).Warn("no "+secret, slog.Group(secret, secret, 2))
	if strings.Contains(b.String(), "alice") || strings.Count(b.String(), Placeholder) != 6 {
		t.Errorf("got %s\nwant each place redacted", b.String())
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(NewHandler(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Info("not logged")
	if b.Len() != 0 {
		t.Errorf("got %s, want nothing below the level", b.String())
	}
}

// TestHandlerContract holds the handler to the rules of slog.Handler.
func TestHandlerContract(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b.Reset()
		return NewHandler(slog.NewJSONHandler(&b, nil))
	}, func(t *testing.T) map[string]any {
		var m map[string]any
		if err := json.Unmarshal(b.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func BenchmarkHandle(b *testing.B) {
	b.ReportAllocs()
	log := slog.New(NewHandler(slog.NewTextHandler(io.Discard, nil)))
	for b.Loop() {
		log.Info("delivered", "session", "5KQ7XW2A", "recipients", 3)
	}
}

func BenchmarkHandleWithout(b *testing.B) {
	b.ReportAllocs()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for b.Loop() {
		log.Info("delivered", "session", "5KQ7XW2A", "recipients", 3)
	}
}

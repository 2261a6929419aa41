package mailbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/mime"
)

func TestEnvelopeDates(t *testing.T) {
	t.Parallel()
	for _, date := range []string{
		"2026-05-04T03:02:01Z", "1969-12-31T23:59:59+14:00", "2026-05-04T03:02:01-12:00", "1900-01-01T00:00:00+05:45", "9999-12-31T23:59:59Z",
	} {
		want, err := time.Parse(time.RFC3339, date)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := parseEnvelope(appendEnvelope(nil, want, &mime.Message{Root: &mime.Part{}}))
		if err != nil || got.Format(time.RFC3339) != date {
			t.Errorf("%s came back as %v, %v", date, got, err)
		}
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	t.Parallel()
	whole := appendEnvelope(nil, time.Unix(1, 0), &mime.Message{Root: &mime.Part{}})
	for n := range envelopeHead {
		if _, _, err := parseEnvelope(whole[:n]); err == nil {
			t.Errorf("%d octets were taken", n)
		}
	}
	whole[0]++
	if _, _, err := parseEnvelope(whole); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("another version: %v", err)
	}
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add(appendEnvelope(nil, time.Unix(1777863721, 0).In(zone(-90)), &mime.Message{Root: &mime.Part{Type: "text", Subtype: "plain"}}))
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 128, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		date, rest, err := parseEnvelope(b)
		if err != nil {
			return
		}
		if again := appendEnvelope(nil, date, &mime.Message{Root: &mime.Part{}}); string(again[:envelopeHead]) != string(b[:envelopeHead]) {
			t.Errorf("%x reads as %v, which is written %x", b[:envelopeHead], date, again[:envelopeHead])
		}
		if len(rest) != len(b)-envelopeHead {
			t.Errorf("%d octets are left of %d", len(rest), len(b))
		}
	})
}

// TestContentID: what relays add on the way makes no other message, and all else
// does.
func TestContentID(t *testing.T) {
	t.Parallel()
	const text = "Message-ID: <1@x>\r\nSubject: a\r\nContent-Type: text/plain\r\n\r\nbody\r\n"
	id := func(text string) contentID {
		s := &Service{o: Options{}, spoolMemory: newBudget(1 << 30), spoolDisk: newBudget(1 << 30)}
		s.done, s.cancel = context.WithCancel(t.Context())
		m, err := s.Receive(t.Context(), strings.NewReader(text), ReceiveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		id, err := m.contentID()
		if err != nil {
			t.Fatal(err)
		}
		return *id
	}
	large := strings.Repeat("0123456789abcde\n", 20_000)
	tests := []struct {
		name, one, other string
		same             bool
	}{
		{"another way", text, "Received: from y\r\n" + text, true},
		{"another subject", text, strings.Replace(text, "a\r\n", "b\r\n", 1), true},
		{"another body", text, text + "\r\n", false},
		{"another Message-ID", text, strings.Replace(text, "1@x", "2@x", 1), false},
		{"another Content-Type", text, strings.Replace(text, "plain", "html", 1), false},
		{"no header", "\r\nbody", "\r\nbody", true},
		{"empty", "", "", true},
		{"large", text + large, text + large, true},
		{"large, changed at its end", text + large, text + large + "x", false},
	}
	for _, tt := range tests {
		if got := id(tt.one) == id(tt.other); got != tt.same {
			t.Errorf("%s: the same is %v, want %v", tt.name, got, tt.same)
		}
	}
}

func TestTurnstile(t *testing.T) {
	t.Parallel()
	ts := newTurnstile(2, 1)
	for range 2 {
		if err := ts.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ts.enter(gone); err != context.Canceled {
		t.Errorf("one that gives up: %v", err)
	}
	ts.waiting.Add(1) // somebody is in the queue
	if err := ts.enter(t.Context()); err != ErrBusy {
		t.Errorf("beyond the queue: %v, want ErrBusy", err)
	}
	ts.waiting.Add(-1)
	ts.leave()
	if err := ts.enter(t.Context()); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}

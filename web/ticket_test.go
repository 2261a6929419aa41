package web

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var testSigner = signer{[]byte("a secret of the relay")}

func testTicket() ticket {
	return ticket{ready: time.Unix(1_800_000_000, 0), expires: time.Unix(1_800_000_900, 0), bits: 18, nonce: nonce{1, 2, 3}}
}

func TestTicket(t *testing.T) {
	t.Parallel()
	text := testSigner.sign(testTicket())
	// work.js hashes the ticket as one block.
	if len(text) != 64 {
		t.Errorf("a ticket has %d characters", len(text))
	}
	got, err := testSigner.open(text)
	if err != nil || got != testTicket() {
		t.Errorf("got %+v, %v, want %+v", got, err, testTicket())
	}
	if _, err := (signer{[]byte("another relay's secret")}).open(text); !errors.Is(err, errTicket) {
		t.Errorf("another relay's ticket: %v, want errTicket", err)
	}
}

func TestTicketForged(t *testing.T) {
	t.Parallel()
	text := testSigner.sign(testTicket())
	for i := range text {
		for _, c := range []string{"A", "z", "=", " "} {
			forged := text[:i] + c + text[i+1:]
			if _, err := testSigner.open(forged); forged != text && !errors.Is(err, errTicket) {
				t.Errorf("with %q at %d: %v, want errTicket", c, i, err)
			}
		}
	}
	for _, wrong := range []string{"", text[:63], text + "A", strings.Repeat("A", 64)} {
		if _, err := testSigner.open(wrong); !errors.Is(err, errTicket) {
			t.Errorf("%q: %v, want errTicket", wrong, err)
		}
	}
}

// TestZeroBits holds the measure of work to figures of another SHA-256: that of
// coreutils, and of work.js.
func TestZeroBits(t *testing.T) {
	t.Parallel()
	ticket := strings.Repeat("a", 64)
	tests := []struct {
		work string
		want int
	}{
		{"", 0},
		{"0", 0},
		{"2", 1},
		{"11", 12},
		{"11026", 15},
		{"34803", 20},
	}
	for _, tt := range tests {
		if got := (proof{ticket, tt.work}).zeroBits(); got != tt.want {
			t.Errorf("work %q: got %d bits, want %d", tt.work, got, tt.want)
		}
	}
}

func TestParseProof(t *testing.T) {
	t.Parallel()
	ticket := strings.Repeat("a", 64)
	tests := []struct {
		name, text string
		want       proof
		fails      bool
	}{
		{name: "waited", text: ticket, want: proof{ticket, ""}},
		{name: "worked", text: ticket + ":0", want: proof{ticket, "0"}},
		{name: "worked long", text: ticket + ":9007199254740992", want: proof{ticket, "9007199254740992"}},
		{name: "empty", text: "", fails: true},
		{name: "no number", text: ticket + ":", fails: true},
		{name: "leading zero", text: ticket + ":01", fails: true},
		{name: "sign", text: ticket + ":-1", fails: true},
		{name: "too long", text: ticket + ":90071992547409920", fails: true},
		{name: "other digits", text: ticket + ":٣", fails: true},
		{name: "short ticket", text: ticket[1:] + ":1", fails: true},
		{name: "two numbers", text: ticket + ":1:2", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseProof(tt.text)
			if got != tt.want || tt.fails != errors.Is(err, errTicket) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// FuzzProof: what parses prints the same, and no proof but our own opens.
func FuzzProof(f *testing.F) {
	good := testSigner.sign(testTicket())
	f.Add(good)
	f.Add(good + ":123")
	f.Add(strings.Repeat("A", 64) + ":0")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProof(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Errorf("%q prints as %q", text, p)
		}
		if got, err := testSigner.open(p.ticket); err == nil && testSigner.sign(got) != p.ticket {
			t.Errorf("%q opens and is not ours", p.ticket)
		}
		if n := p.zeroBits(); n < 0 || n > 256 || p.work == "" && n != 0 {
			t.Errorf("%q has %d bits", text, n)
		}
	})
}

// FuzzPass: what parses prints the same.
func FuzzPass(f *testing.F) {
	f.Add("ABCDEFGHIJKLMNOPQRSTUVWXYZ.0")
	f.Add("ABCDEFGHIJKLMNOPQRSTUVWXYZ.12")
	f.Add(".1")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parsePass(text); err == nil && p.String() != text {
			t.Errorf("%q prints as %q", text, p)
		}
	})
}

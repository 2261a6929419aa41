package pgp

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
)

const prose = "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife. "

// TestChancePassesNoise tests what ciphertext looks like, in many lengths and pieces. The source has a fixed seed.
func TestChancePassesNoise(t *testing.T) {
	t.Parallel()
	source := rand.NewChaCha8([32]byte{7})
	random := rand.New(source)
	for range 3000 {
		b := make([]byte, random.IntN(3*chanceWindow))
		source.Read(b)
		if err := testChance(b, 1+random.IntN(2000)); err != nil {
			t.Fatalf("%d octets of chance: %v", len(b), err)
		}
	}
}

// testChance writes b in pieces of n.
func testChance(b []byte, n int) error {
	var c chance
	for len(b) > 0 {
		if err := c.write(b[:min(n, len(b))]); err != nil {
			return err
		}
		b = b[min(n, len(b)):]
	}
	return c.flush()
}

func TestChanceRefusesText(t *testing.T) {
	t.Parallel()
	text := func(n int) []byte { return []byte(strings.Repeat(prose, n/len(prose)+1)[:n]) }
	wide := func(n int) []byte {
		var b []byte
		for _, u := range utf16.Encode([]rune(string(text(n / 2)))) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b
	}
	cyrillic := []byte(strings.Repeat("Все счастливые семьи похожи друг на друга, ", 20))
	at := func(n, where int, b []byte) []byte { return append(append(noise(where), b...), noise(n-where)...) }
	tests := []struct {
		name string
		in   []byte
	}{
		{"32 octets", text(32)},
		{"64 octets", text(64)},
		{"a page", text(2000)},
		{"a book", text(100_000)},
		{"base64", []byte(base64.StdEncoding.EncodeToString(noise(200)))},
		{"hexadecimal", []byte(strings.Repeat("0123456789abcdef", 10))},
		{"UTF-16", wide(600)},
		{"Cyrillic", cyrillic},
		{"zeros", make([]byte, 256)},
		{"a sentence in the middle", at(4000, 1000, text(100))},
		{"a sentence at the start", at(4000, 0, text(100))},
		{"a sentence at the end", at(4000, 4000, text(96))},
		{"a page in a long message", at(100_000, 50_000, text(1500))},
		{"every second octet", interleave(text(1000))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1, 100, chanceWindow, len(tt.in)} {
				if testChance(tt.in, piece) == nil {
					t.Errorf("passes in pieces of %d", piece)
				}
			}
		})
	}
}

// interleave puts an octet of chance behind each octet.
func interleave(b []byte) []byte {
	var out []byte
	for i, c := range noise(len(b)) {
		out = append(out, b[i], c)
	}
	return out
}

// TestLongRun compares the stepping search with the obvious one.
func TestLongRun(t *testing.T) {
	t.Parallel()
	for length := range 3 * printableRun {
		for where := range 2 * printableRun {
			b := make([]byte, 4*printableRun)
			for i := range min(length, len(b)-where) {
				b[where+i] = 'x'
			}
			want := min(length, len(b)-where) > printableRun
			for cut := 0; cut <= len(b); cut += 5 {
				var c chance
				if got := c.longRun(b[:cut]) || c.longRun(b[cut:]); got != want {
					t.Fatalf("a run of %d at %d, cut at %d: got %v, want %v", length, where, cut, got, want)
				}
			}
		}
	}
}

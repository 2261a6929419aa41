package gateway

import (
	"strings"
	"testing"
)

// TestReplyLines: an answer of any length comes in lines that clients must read, each
// with its code, and says the same.
func TestReplyLines(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"short", strings.Repeat("some words ", 300), strings.Repeat("x", 3*maxReplyLine)} {
		text = strings.TrimSpace(text)
		lines := strings.Split(replyLines("5.7.10 ", text), "\n")
		var said []string
		for i, line := range lines {
			if len(line) > maxReplyLine+len("5.7.10 ") {
				t.Errorf("a line of %d octets", len(line))
			}
			rest, coded := strings.CutPrefix(line, "5.7.10 ")
			if coded != (i < len(lines)-1) {
				t.Errorf("line %d of %d begins %q", i+1, len(lines), line[:8])
			}
			said = append(said, rest)
		}
		if got := strings.Join(said, " "); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/restante/restante/pgp"
)

// TestWords pins the words: people write them down.
func TestWords(t *testing.T) {
	t.Parallel()
	const f = pgp.Fingerprint("0123456789ABCDEF0123456789ABCDEF01234567")
	got := Words(f)
	if want := "unlock clap exotic comic certain truly luggage snake"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if other := Words(f[:39] + "8"); other == got {
		t.Error("another fingerprint has the same words")
	}
	if n := len(strings.Fields(got)); n != fingerprintWords {
		t.Errorf("got %d words", n)
	}
	if len(wordlists.English) != 1<<11 || !slices.IsSorted(wordlists.English) {
		t.Error("the list has changed")
	}
}

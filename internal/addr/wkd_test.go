package addr

import (
	"strings"
	"testing"
)

// TestWKDHash has vectors of GnuPG 2.2 (gpg --with-wkd-hash). Only ASCII letters are
// folded.
func TestWKDHash(t *testing.T) {
	t.Parallel()
	const joe = "iy9q119eutrkn8s1mk4r39qejnbu3n5q"
	for local, want := range map[string]string{
		"joe.doe": joe, "Joe.Doe": joe, "a": "o556ep94wsu93ak7dzqmu4zk7e5zc37a",
		"k3xq7mzp2": "abofyx6gn7wkfanbb1k81d59oabiag51",
		"ÄRGER":     "ewd7piirpeasam9iz8or84x4be3xhxqw", "Ärger": "ewd7piirpeasam9iz8or84x4be3xhxqw",
	} {
		got := MustParse(local + "@example.org").WKDHash()
		if got != want {
			t.Errorf("%s: got %s, want %s", local, got, want)
		}
		if !IsWKDHash(got) {
			t.Errorf("%s is not taken for a hash", got)
		}
	}
	for _, s := range []string{"", joe[1:], strings.ToUpper(joe), joe[1:] + "l", joe + "y"} {
		if IsWKDHash(s) {
			t.Errorf("%q is taken for a hash", s)
		}
	}
}

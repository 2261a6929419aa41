package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

func words(s string) flagSet { return newFlagSet(strings.Fields(s)...) }

func TestMergeFlags(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, base, remote, local, keeps, want string }{
		{"nothing", "", "", "", "", ""},
		{"set there", "", `\seen`, "", `\seen`, `\seen`},
		{"set here", "", "", `\seen`, `\seen`, `\seen`},
		{"set on both sides", "", `\seen`, `\seen`, `\seen`, `\seen`},
		{"removed there", `\seen a`, "a", `\seen a`, `\seen a`, "a"},
		{"removed here", `\seen a`, `\seen a`, "a", `\seen a`, "a"},
		{"one each way", `\seen`, `\flagged`, `\seen \draft`, `\seen \flagged \draft`, `\draft \flagged`},
		{"one that the server does not keep", "", "", "mine", `\seen`, "mine"},
		{"and its removal there is none", "mine", "", "mine", `\seen`, "mine"},
	}
	for _, tt := range tests {
		keeps := words(tt.keeps)
		got := mergeFlags(words(tt.base), words(tt.remote), words(tt.local), func(n string) bool { return keeps[n] })
		if diff := cmp.Diff(got, words(tt.want)); diff != "" {
			t.Errorf("%s: got - want +\n%s", tt.name, diff)
		}
	}
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		list []imap.Flag
		flag string
		want bool
	}{
		{"it does not say", nil, "a", true},
		{"listed", []imap.Flag{imap.FlagSeen}, `\seen`, true},
		{"not listed", []imap.Flag{imap.FlagSeen}, "a", false},
		{"takes new ones", []imap.Flag{imap.FlagWildcard}, "a", true},
	}
	for _, tt := range tests {
		if got := permanent(tt.list)(tt.flag); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestReconnectAfter(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: reconnectMost, 1 << 30: reconnectMost} {
		if got := reconnectAfter(failures); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
}

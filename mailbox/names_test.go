package mailbox

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "Sent", "Sent"},
		{"INBOX", "inbox", "INBOX"},
		{"below INBOX", "iNbOx/Lists/Go", "INBOX/Lists/Go"},
		{"only begins like INBOX", "inboxes", "inboxes"},
		{"INBOX further down", "a/inbox", "a/inbox"},
		{"to NFC", "Entwu\u0308rfe", "Entwürfe"},
		{"blanks and wildcards", "100% of *", "100% of *"},
		{"number sign inside", "a#b", "a#b"},
		{"longest", strings.Repeat("a", 255), strings.Repeat("a", 255)},
		{"empty", "", ""},
		{"only a delimiter", "/", ""},
		{"delimiter first", "/a", ""},
		{"delimiter last", "a/", ""},
		{"delimiter twice", "a//b", ""},
		{"too long", strings.Repeat("a", 256), ""},
		{"much too long", strings.Repeat("\u0308", 5000), ""},
		{"not UTF-8", "a\xff", ""},
		{"control", "a\tb", ""},
		{"C1 control", "a\u0085b", ""},
		{"NUL", "a\x00", ""},
		{"line separator", "a\u2028b", ""},
		{"replacement character", "a\ufffdb", ""},
		{"another namespace", "#shared/x", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := cleanName(tt.in)
			if got != tt.want || (tt.want == "") != errors.Is(err, ErrName) {
				t.Fatalf("cleanName(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestInOrder(t *testing.T) {
	t.Parallel()
	want := []string{"INBOX", "A", "A/b", "A/b/c", "A-b", "Ab", "INBOX/x", "Z"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, inOrder)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCleanKeyword(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"$Forwarded": "$forwarded", "NonJunk": "nonjunk", "a-b_c.d": "a-b_c.d",
		"": "", `\Seen`: "", "a b": "", "a(b": "", "a%b": "", "ä": "", "a]": "", "a\x7f": "", strings.Repeat("a", 256): "",
	} {
		got, err := cleanKeyword(in)
		if got != want || (want == "") != errors.Is(err, ErrName) {
			t.Errorf("cleanKeyword(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"inbox/a", "a/b", "\u0308", "İnbox", "a\u037e/b", "ﬀ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := cleanName(s)
		if err != nil {
			return
		}
		if again, err := cleanName(name); err != nil || again != name {
			t.Errorf("cleanName(%q) = %q, and of that %q, %v", s, name, again, err)
		}
		if len(name) > maxNameSize || strings.ContainsAny(name, "\r\n\x00") {
			t.Errorf("cleanName(%q) = %q", s, name)
		}
	})
}

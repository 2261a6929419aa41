package imapd

import "testing"

func TestBaseSubject(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                "",
		"Dinner":                          "Dinner",
		"Re: Dinner":                      "Dinner",
		"RE : [list] Fwd: Dinner (fwd)":   "Dinner",
		"fw: re[2]: Dinner":               "Dinner",
		"[list] [other] Dinner":           "Dinner",
		"[list]":                          "[list]",
		"Re: [list]":                      "[list]",
		"[list] Re: [list]":               "[list]",
		"[Fwd: Re: Dinner (fwd)] (FWD)":   "Dinner",
		"[Fwd: [Fwd: Dinner]]":            "Dinner",
		"[a[b] Re: Dinner":                "[a[b] Re: Dinner",
		"Regarding: Dinner":               "Regarding: Dinner",
		"Forward":                         "Forward",
		"re:":                             "",
		"(fwd)":                           "",
		"  Two \t words\r\n and a third ": "Two words and a third",
		"=?utf-8?q?Re:_M=C3=BCll?=":       "Müll",
		"[unclosed Re: Dinner":            "[unclosed Re: Dinner",
	} {
		if got := baseSubject(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzBaseSubject(f *testing.F) {
	f.Add("[Fwd: Re: [a] b (fwd)]")
	f.Fuzz(func(t *testing.T, in string) {
		got := baseSubject(in)
		// An encoded word can stand for another, which is not decoded in turn.
		if again := baseSubject(got); again != got && decodeHeader(got) == got {
			t.Errorf("%q: %q, and of that %q", in, got, again)
		}
	})
}

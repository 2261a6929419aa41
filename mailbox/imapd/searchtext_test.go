package imapd

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestContainsFolded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text, needle string
		want               bool
	}{
		{"same", "hello", "hello", true},
		{"inside", "hello", "ell", true},
		{"not there", "hello", "elo", false},
		{"nothing", "hello", "", true},
		{"in nothing", "", "h", false},
		{"case", "HeLLo", "hEllO", true},
		{"beyond ASCII", "ÄRGER", "ärger", true},
		{"composed and not", "e\u0301t\u00e9", "\u00e9te\u0301", true},
		{"letter without its mark", "é", "e", true}, // i;unicode-casemap: the mark follows the letter
		{"mark without its letter", "e", "é", false},
		{"wide letters", "ＡＢＣ", "abc", true},
		{"sigma", "ΟΔΟΣ", "οδος", true},
		{"Hangul", "\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af", true},
		{"not UTF-8", "a\xffB", "\xffb", true},
		{"cut short", "a\xc3", "\xc3", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := containsFolded(test.text, foldString(test.needle)); got != test.want {
				t.Errorf("%q in %q: %v, want %v", test.needle, test.text, got, test.want)
			}
		})
	}
}

func scanFor(needles []needle) *textScan {
	s := new(textScan)
	s.begin(needles)
	return s
}

func TestTextScan(t *testing.T) {
	t.Parallel()
	body := func(s string) needle { return needle{foldString(s), false} }
	text := func(s string) needle { return needle{foldString(s), true} }
	s := scanFor([]needle{body("subject"), text("subject"), text("facts"), body("lo wo"), body("missing"), body("ärger")})
	s.look([]byte("Subject: fa"), true, true)
	s.look([]byte("cts"), true, true)
	if err := readText(s, iotest.OneByteReader(strings.NewReader("Hello World ÄRGER"))); err != nil {
		t.Fatal(err)
	}
	want := []bool{false, true, false, true, false, true}
	for i, n := range s.needles {
		if s.found[i] != want[i] {
			t.Errorf("%q: %v, want %v", n.folded, s.found[i], want[i])
		}
	}
	if s.done() {
		t.Error("done, with something missing")
	}
}

// TestTextScanStops: no more is read than it takes to find everything.
func TestTextScanStops(t *testing.T) {
	t.Parallel()
	s := scanFor([]needle{{foldString("abc"), false}})
	if err := readText(s, io.MultiReader(strings.NewReader("xabcx"), iotest.ErrReader(io.ErrClosedPipe))); err != nil || !s.done() {
		t.Errorf("%v, done: %v", err, s.done())
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ charset, in, want string }{
		{"", "\xc3\xa4", "ä"},
		{"UTF-8", "\xc3\xa4", "ä"},
		{"us-ascii", "\xc3\xa4", "ä"},
		{"ISO-8859-1", "\xe4", "ä"},
		{"windows-1252", "\x80", "€"},
		{"koi8-r", "\xc1", "а"},
		{"iso-2022-jp", "\x1b$B$\"\x1b(B", "あ"},
		{"gb18030", "\xc4\xe3", "你"},
		{"x-nobody-knows", "\xe4 word", "\xe4 word"},
	} {
		got, err := io.ReadAll(toUTF8(test.charset, strings.NewReader(test.in)))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %q, %v, want %q", test.charset, got, err, test.want)
		}
	}
	for in, want := range map[string]string{
		"plain": "plain",
		"=?utf-8?q?=C3=A4?= and =?koi8-r?b?wQ==?=": "ä and а",
		"=?x-nobody-knows?q?word?=":                "word",
		"=?utf-8?x?broken?=":                       "=?utf-8?x?broken?=",
	} {
		if got := decodeHeader(in); got != want {
			t.Errorf("decodeHeader(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzTextScan: what is found does not depend on how the text comes.
func FuzzTextScan(f *testing.F) {
	f.Add("Hello World", "o W", 3)
	f.Add("ÄÄÄ", "ä", 1)
	f.Add("aab", "ab", 2)
	f.Fuzz(func(t *testing.T, text, word string, size int) {
		if size < 1 {
			t.Skip("no pieces")
		}
		s := scanFor([]needle{{foldString(word), false}})
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			s.look([]byte(rest[:n]), false, false)
			rest = rest[n:]
		}
		s.look(nil, false, true)
		if want := containsFolded(text, foldString(word)); s.found[0] != want {
			t.Errorf("%q in %q by %d: %v, want %v", word, text, size, s.found[0], want)
		}
	})
}

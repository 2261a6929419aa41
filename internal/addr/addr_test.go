package addr

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, local, domain, text, key string }{
		{"plain", "joe@example.org", "joe", "example.org", "joe@example.org", "joe@example.org"},
		{"case kept in local part only", "Joe.Doe@Example.ORG", "Joe.Doe", "example.org", "Joe.Doe@example.org", "joe.doe@example.org"},
		{"all of atext", "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~", "x", "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x"},
		{"needless quotes", `"joe"@x.org`, "joe", "x.org", "joe@x.org", "joe@x.org"},
		{"needless backslash", `"j\oe"@x.org`, "joe", "x.org", "joe@x.org", "joe@x.org"},
		{"quotes needed", `"Joe Doe"@x.org`, "Joe Doe", "x.org", `"Joe Doe"@x.org`, `"joe doe"@x.org`},
		{"quote and backslash inside", `"a\"b\\c"@x`, `a"b\c`, "x", `"a\"b\\c"@x`, `"a\"b\\c"@x`},
		{"at sign inside", `"a@b"@c`, "a@b", "c", `"a@b"@c`, `"a@b"@c`},
		{"dots need quotes", `"a..b"@c`, "a..b", "c", `"a..b"@c`, `"a..b"@c`},
		{"UTF-8 to NFC", "ju\u0308rgen@x", "jürgen", "x", "jürgen@x", "jürgen@x"},
		{"UTF-8 case", "JÜRGEN@x", "JÜRGEN", "x", "JÜRGEN@x", "jürgen@x"},
		{"NFC turns a letter into a special", "a\u037eb@x", "a;b", "x", `"a;b"@x`, `"a;b"@x`},
		{"U-label", "a@BÜCHER.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"A-label in capitals", "a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"underscore", "a@_relay.example.org", "a", "_relay.example.org", "a@_relay.example.org", "a@_relay.example.org"},
		{"IPv4 literal", "a@[127.0.0.1]", "a", "[127.0.0.1]", "a@[127.0.0.1]", "a@[127.0.0.1]"},
		{"IPv6 literal", "a@[ipv6:2001:DB8:0::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
		{"longest local part", strings.Repeat("a", 64) + "@x", strings.Repeat("a", 64), "x", strings.Repeat("a", 64) + "@x", strings.Repeat("a", 64) + "@x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := Parse(tt.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			for _, c := range []struct{ what, got, want string }{
				{"Local", a.Local(), tt.local}, {"Domain", a.Domain(), tt.domain}, {"String", a.String(), tt.text}, {"Key", a.Key(), tt.key},
			} {
				if c.got != c.want {
					t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("d", 63)
	tests := []struct{ name, in string }{
		{"empty", ""}, {"no at", "joe"}, {"no local part", "@x"}, {"no domain", "joe@"}, {"empty quoted local part", `""@x`},
		{"leading dot", ".a@x"}, {"trailing dot", "a.@x"}, {"two dots", "a..b@x"}, {"space", "a b@x"}, {"comma", "a,b@x"},
		{"brackets", "<a@x>"}, {"two ats", "a@b@c"}, {"comment", "a(b)@x"}, {"CR LF", "a\r\nb@x"}, {"NUL", "a\x00@x"},
		{"open quote", `"a@x`}, {"quote ends in backslash", `"a\"@x`}, {"text after quote", `"a"b@x`}, {"only a quote", `"`},
		{"control in quotes", "\"a\tb\"@x"}, {"pair outside ASCII", "\"\\é\"@x"}, {"not UTF-8", "a\xff@x"},
		{"bidi override", "a\u202eb@x"}, {"wide space", "a\u3000b@x"}, {"C1 control", "a\u0085b@x"},
		{"long local part", strings.Repeat("a", 65) + "@x"}, {"local part long when quoted", `"` + strings.Repeat("a", 60) + `\"\"\""@x`},
		{"long address", "a@" + strings.Join([]string{label, label, label, label}, ".")}, {"huge", strings.Repeat("a", 5000)},
		{"empty label", "a@b..c"}, {"final dot", "a@b."}, {"hyphen first", "a@-b.c"}, {"hyphen last", "a@b-.c"}, {"long label", "a@" + label + "d"},
		{"domain with space", "a@b c"}, {"domain not UTF-8", "a@b\xff"}, {"bad A-label", "a@xn--a"}, {"empty literal", "a@[]"},
		{"open literal", "a@[127.0.0.1"}, {"literal out of range", "a@[256.0.0.1]"}, {"IPv6 without tag", "a@[::1]"},
		{"IPv4 with tag", "a@[IPv6:127.0.0.1]"}, {"literal with zone", "a@[IPv6:fe80::1%eth0]"}, {"unknown tag", "a@[X:1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := Parse(tt.in)
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("Parse(%q) = %v, %v, want ErrInvalid", tt.in, a, err)
			}
			if !a.IsZero() {
				t.Errorf("refused, and yet gave %v", a)
			}
			if len(tt.in) > 2 && strings.Contains(err.Error(), tt.in) {
				t.Errorf("error %q shows the input", err)
			}
		})
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a, b, c := MustParse("Joe@x.org"), MustParse(`"jOE"@X.org`), MustParse("joe@y.org")
	if !a.Equal(b) || a == b {
		t.Errorf("%v and %v: Equal %v, == %v, want true, false", a, b, a.Equal(b), a == b)
	}
	if a.Equal(c) {
		t.Errorf("%v equals %v", a, c)
	}
	if z := (Address{}); z.Equal(a) || !z.Equal(Address{}) || z.String() != "" || z.Key() != "" || !z.IsZero() {
		t.Error("the zero value does not behave as no address")
	}
}

func TestLogsHideAddresses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "to", MustParse("joe@secret.example"), "none", Address{})
	if got := out.String(); strings.Contains(got, "secret") || !strings.Contains(got, "to=[address] none=\"\"") {
		t.Errorf("log line %q", got)
	}
}

func TestMustParsePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustParse("nobody")
}

func TestNewLocal(t *testing.T) {
	t.Parallel()
	seen, used := map[string]bool{}, map[rune]bool{}
	for range 2000 {
		s := NewLocal(rand.Reader)
		if len(s) < 9 || strings.ContainsAny(s, "0o1li") || s[0] < 'a' || seen[s] {
			t.Fatalf("NewLocal() = %q, seen before: %v", s, seen[s])
		}
		if err := ValidLocal(s); err != nil {
			t.Fatalf("ValidLocal(%q): %v", s, err)
		}
		seen[s] = true
		for _, r := range s[1:] {
			used[r] = true
		}
	}
	if len(used) != len(alphabet) {
		t.Errorf("%d characters in use, want %d", len(used), len(alphabet))
	}
	if s := NewLocal(nil); seen[s] || ValidLocal(s) != nil {
		t.Errorf("NewLocal(nil) = %q", s)
	}
}

func TestNewLocalPanicsWithoutRandomness(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewLocal(iotest.ErrReader(errors.New("broken")))
}

func TestValidLocal(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "7", "joe.doe", "a_b-c", "a-", "a_", strings.Repeat("a", 64)} {
		if err := ValidLocal(s); err != nil {
			t.Errorf("ValidLocal(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", ".", ".a", "a.", "a..b", "-a", "_a", "Joe", "a b", "a@b", "a+b", "é", "a\n", strings.Repeat("a", 65)} {
		if err := ValidLocal(s); err == nil {
			t.Errorf("ValidLocal(%q) = nil", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"joe@x.org", `"a b"@x`, `"a\"\\"@[IPv6:::1]`, "ü@bücher.example", "\"<\\\u0338\"@x", "a\u037e@xn--bcher-kva", "İ@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		if b, err := Parse(a.String()); err != nil || b != a {
			t.Errorf("Parse(%q) = %q, which parses to %q, %v", s, a, b, err)
		}
		k, err := Parse(a.Key())
		if err != nil || !k.Equal(a) || k.Key() != a.Key() {
			t.Errorf("Parse(%q).Key() = %q, which parses to %q, %v", s, a.Key(), k, err)
		}
		if strings.ContainsAny(a.String(), "\r\n\x00") {
			t.Errorf("Parse(%q) = %q has a line break or NUL", s, a)
		}
	})
}

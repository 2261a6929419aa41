package wire

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestUTF7(t *testing.T) {
	t.Parallel()
	for utf8, utf7 := range map[string]string{
		"":                   "",
		"plain ~":            "plain ~",
		"a&b":                "a&-b",
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", // RFC 3501, 5.1.3
		"Entwürfe":           "Entw&APw-rfe",
		"\U0001f600":         "&2D3eAA-",
		"ä&ö":                "&AOQ-&-&APY-",
		"\x00":               "&AAA-",
		"☺!":                 "&Jjo-!",
	} {
		if got := string(AppendUTF7(nil, utf8)); got != utf7 {
			t.Errorf("AppendUTF7(%q) = %q, want %q", utf8, got, utf7)
		}
		if got, ok := DecodeUTF7(utf7); got != utf8 || !ok {
			t.Errorf("DecodeUTF7(%q) = %q, %v; want %q", utf7, got, ok, utf8)
		}
	}
	for _, bad := range []string{
		"&", "&AOQ", "\xc3\xa4", "a\x00", "&AGE-", "&AOQ-&APY-", "&AOR-", "&A-", "&AOQA-", "&2D0-", "&3gA-",
		"&2D0A5A-", "&AO/-", "&U,BTFw-&ZeVnLIqe-",
	} {
		if got, ok := DecodeUTF7(bad); ok {
			t.Errorf("DecodeUTF7(%q) = %q, want a refusal", bad, got)
		}
	}
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"inBox":        "INBOX",
		`"Inbox"`:      "INBOX",
		"inbox/x":      "inbox/x",
		"Entw&APw-rfe": "Entwürfe",
		`"a b"`:        "a b",
		`""`:           "",
		"NIL":          "NIL",
	} {
		d := decode(t, in+"\r\n", Options{})
		if got := d.Mailbox(); got != want || d.End() != nil {
			t.Errorf("%s = %q, %v; want %q", in, got, d.Err(), want)
		}
	}
	for _, in := range []string{"Entw&APw", "&AAo-", "{2+}\r\n\xc3\xa4", "a*", "&IAA", "&AH8-", "&ICg-"} {
		d := decode(t, in+"\r\n", Options{})
		if got := d.Mailbox(); d.End() == nil {
			t.Errorf("%q = %q, %v; want an error", in, got, d.Err())
		}
	}
	d := decode(t, "&'*\r\n", Options{})
	if got := d.Pattern(); got != "&'*" || d.End() != nil {
		t.Errorf("a pattern in bad UTF-7: %q, %v", got, d.Err())
	}
}

func TestMailboxUTF8(t *testing.T) {
	t.Parallel()
	r := NewReader(strings.NewReader("\"Entwürfe\" a&b {3+}\r\n\xff\xfe\xfd\r\n"), Options{})
	r.SetUTF8(true)
	d, err := r.Command()
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Mailbox(); got != "Entwürfe" {
		t.Errorf("read %q", got)
	}
	d.SP()
	if got := d.Mailbox(); got != "a&b" {
		t.Errorf("read %q", got)
	}
	d.SP()
	d.Mailbox()
	var bad *NameError
	if err := d.End(); !errors.As(err, &bad) || bad.Encoding != "UTF-8" {
		t.Errorf("three bytes that are no UTF-8: %v", err)
	}
}

func TestWriteMailbox(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, old, utf8 string
	}{
		{"INBOX", "INBOX", "INBOX"},
		{"", `""`, `""`},
		{"a b", `"a b"`, `"a b"`},
		{"a&b", "a&-b", "a&b"},
		{"Entwürfe", "Entw&APw-rfe", `"Entwürfe"`},
		{"100%", `"100%"`, `"100%"`},
		{"nil", `"nil"`, `"nil"`},
		{`q"\`, `"q\"\\"`, `"q\"\\"`},
	} {
		for utf8, want := range map[bool]string{false: tt.old, true: tt.utf8} {
			got, err := tryEncode(utf8, func(e *Encoder) { e.Mailbox(tt.name) })
			if got != want || err != nil {
				t.Errorf("%q, UTF-8 %v = %s, %v; want %s", tt.name, utf8, got, err, want)
			}
		}
	}
}

var matches = []struct {
	pattern, name string
	want          bool
}{
	{"*", "", true},
	{"%", "", true},
	{"", "", true},
	{"", "a", false},
	{"*", "a/b", true},
	{"%", "a/b", false},
	{"%/%", "a/b", true},
	{"%/%", "a/b/c", false},
	{"a/*", "a/b/c", true},
	{"a*c", "a/b/c", true},
	{"a%c", "a/b/c", false},
	{"a%c", "abbc", true},
	{"%*%", "a/b", true},
	{"*%", "a/b/c", true},
	{"%b*d%f", "abcd/ef", false},
	{"%b*d%f", "ab/cdef", true},
	{"a.b", "a/b", false},
	{"inbox", "INBOX", true},
	{"InB%", "INBOX", true},
	{"inbox", "inbox", true},
	{"inb*", "INBOX/x", false},
	{"sent", "Sent", false},
	{"Entwür*", "Entwürfe", true},
	{strings.Repeat("a", 63) + "%b", strings.Repeat("a", 70) + "b", true},
	{strings.Repeat("a", 64) + "%b", strings.Repeat("a", 64) + "/b", false},
	{strings.Repeat("a", 64) + "*b", strings.Repeat("a", 64) + "/b", true},
	{strings.Repeat("ab%", 200), strings.Repeat("ab", 300), true},
	{strings.Repeat("ab%", 200), strings.Repeat("ab", 199), false},
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range matches {
		if got := CompilePattern(tt.pattern, '/').Match(tt.name); got != tt.want {
			t.Errorf("%q matches %q = %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

func TestMatchFlat(t *testing.T) {
	t.Parallel()
	if !CompilePattern("%", 0).Match("a/b") {
		t.Error("without a delimiter % must match all")
	}
}

// TestMatchIsLinear uses a pattern for which a matcher that backtracks needs
// time exponential in its length.
func TestMatchIsLinear(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", 1000)
	start := time.Now()
	p := CompilePattern(strings.Repeat("*a", 500)+"b", '/')
	for range 100 {
		if p.Match(name) {
			t.Fatal("matched")
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("100 names took %v", took)
	}
}

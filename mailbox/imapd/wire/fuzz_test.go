package wire

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

// A grammar is a production that can be read and written.
type grammar struct {
	name  string
	read  func(*Decoder) any
	write func(*Encoder, any)
}

var grammars = []grammar{
	{"astring", func(d *Decoder) any { return d.Astring() }, func(e *Encoder, v any) { e.Astring(v.(string)) }},
	{"mailbox", func(d *Decoder) any { return d.Mailbox() }, func(e *Encoder, v any) { e.Mailbox(v.(string)) }},
	{"set", func(d *Decoder) any { return d.Set() }, func(e *Encoder, v any) { e.Set(v.(Set)) }},
	{"flags", func(d *Decoder) any { return d.Flags() }, func(e *Encoder, v any) { e.Flags(v.([]imap.Flag)) }},
	{"date", func(d *Decoder) any { return d.Date() }, func(e *Encoder, v any) { e.Date(v.(time.Time)) }},
	{"date-time", func(d *Decoder) any { return d.DateTime() }, func(e *Encoder, v any) { e.DateTime(v.(time.Time)) }},
	{"partial", func(d *Decoder) any { return d.Partial() }, func(e *Encoder, v any) { e.Partial(v.(Partial)) }},
	{"status", func(d *Decoder) any { return d.StatusItems() }, func(e *Encoder, v any) { e.StatusItems(v.(StatusItems)) }},
	{"fetch", func(d *Decoder) any { return d.Fetch() }, func(e *Encoder, v any) { f := v.(Fetch); e.Fetch(&f) }},
	{"search", func(d *Decoder) any { return d.Search() }, func(e *Encoder, v any) { s := v.(Search); e.Search(&s) }},
	{"getmetadata", func(d *Decoder) any { return d.GetMetadata() }, func(e *Encoder, v any) { g := v.(GetMetadata); e.GetMetadata(&g) }},
	{"entries", func(d *Decoder) any { return d.MetadataEntries() }, func(e *Encoder, v any) { e.MetadataEntries(v.([]MetadataEntry)) }},
	{"notify", func(d *Decoder) any { return d.Notify() }, func(e *Encoder, v any) { n := v.(Notify); e.Notify(&n) }},
	{"esearch", func(d *Decoder) any { return d.MultiSearch() }, func(e *Encoder, v any) { m := v.(MultiSearch); e.MultiSearch(&m) }},
}

// deeper is how much the normal form may be nested beyond what was read: NEW,
// and a program of several keys, become lists.
const deeper = 2

// FuzzDecoder holds that what was read, when written and read again, is the
// same, and that a Reader stays within its limits.
func FuzzDecoder(f *testing.F) {
	for i, seeds := range [][]string{
		{"abc", `"a\"b"`, "{3+}\r\na\r\n", "{1}\r\nx"},
		{"inbox", "Entw&APw-rfe", `"a b"`, "&2D3eAA-"},
		{"1,3:5,*", "$", "9:*,2", "*:4,5:7"},
		{`(\seen $Junk)`, "()"},
		{"1-Feb-1994", `"10-Feb-1994"`},
		{`" 1-Feb-2020 03:04:05 -0530"`, `"29-Feb-2024 23:59:60 +0000"`},
		{"1:5", "-10:-1"},
		{"(MESSAGES UIDNEXT MAILBOXID)"},
		{"FULL", "(UID BODY.PEEK[1.HEADER.FIELDS (A \"b c\")]<1.9223372036854775807> PREVIEW (LAZY)) (CHANGEDSINCE 5 VANISHED)",
			"BINARY.SIZE[1.2]", "RFC822.HEADER (PARTIAL -1:-5)", "BODY[HEADER.FIELDS ({1+}\r\nx)]"},
		{`RETURN (MIN PARTIAL 1:5) CHARSET UTF-8 OR NOT (SEEN NEW) FROM "x" UNKEYWORD a`, "OLD 1:* UID $",
			`MODSEQ "/flags/\\draft" all 5 HEADER X {1+}` + "\r\nx OLDER 5"},
		{`(DEPTH infinity MAXSIZE 5) "" /shared`, `INBOX (/private/a "b")`, "x (MAXSIZE 1) (/a)"},
		{`(/private/a NIL "b" "c\"d")`, "(/shared/a ~{2+}\r\n\x00x)"},
		{"NONE", "set status (selected MessageNew (uid flags) MessageExpunge) (subtree (a b) (MailboxName X))"},
		{"IN (mailboxes \"folder1\" subtree-one (folder2)) RETURN (MIN) unseen", "IN (personal) ALL", "1:3"},
	} {
		for _, s := range seeds {
			f.Add(byte(i), []byte(s+"\r\n"))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, in []byte) {
		g := grammars[int(which)%len(grammars)]
		utf8 := which >= 128
		const limit = 2000
		r := NewReader(bytes.NewReader(in), Options{MaxLine: limit, MaxDrain: 1 << 16})
		r.SetUTF8(utf8)
		d, err := r.Command()
		if err != nil {
			return
		}
		first := g.read(d)
		err = d.End()
		_ = d.Skip()
		if max := 2*limit + 2*readSize; cap(r.buf) > max {
			t.Errorf("the buffer grew to %d", cap(r.buf))
		}
		if err == nil {
			sameAgain(t, g, first, utf8)
		}
	})
}

func sameAgain(t *testing.T, g grammar, first any, utf8 bool) {
	t.Helper()
	out, err := tryEncode(utf8, func(e *Encoder) { g.write(e, first) })
	if err != nil {
		t.Fatalf("%s was read as %+v and cannot be written: %v", g.name, first, err)
	}
	// Literals are written as a server does.
	r := NewReader(strings.NewReader(out+"\r\n"), Options{MaxDepth: DefaultMaxDepth + deeper, Responses: true})
	r.SetUTF8(utf8)
	d, err := r.Command()
	if err != nil {
		t.Fatalf("%s %q: %v", g.name, out, err)
	}
	second := g.read(d)
	if err := d.End(); err != nil {
		t.Fatalf("%s was written as %q, which is refused: %v", g.name, out, err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Fatalf("%s %q changed (-first +second):\n%s", g.name, out, diff)
	}
}

// FuzzStream holds that the commands found in a stream do not depend on how it
// arrives, and that the content of a literal never becomes one.
func FuzzStream(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		opt := Options{MaxLine: 200, MaxDrain: 1000}
		whole := serve(NewReader(bytes.NewReader(in), opt), 8)
		pieces := serve(NewReader(byByte{bytes.NewReader(in)}, opt), 8)
		if !slices.ContainsFunc(whole, isLost) && !slices.ContainsFunc(pieces, isLost) {
			if diff := cmp.Diff(whole, pieces); diff != "" {
				t.Fatalf("commands differ (-whole +by byte):\n%s", diff)
			}
		}
		behind := append([]byte("z APPEND x {1000+}\r\n"), in...)
		if len(in) > 1000 {
			return
		}
		behind = append(behind, bytes.Repeat([]byte(" "), 1000-len(in))...)
		behind = append(behind, "\r\nend NOOP\r\n"...)
		got := serve(NewReader(bytes.NewReader(behind), opt), 8)
		if want := []string{"z APPEND x: refused", "end NOOP: OK"}; !cmp.Equal(got, want) {
			t.Fatalf("content was read as commands: %q", got)
		}
	})
}

// isLost tells where a stream broke off; how much is thrown away by then may
// depend on how it arrived.
func isLost(entry string) bool { return strings.HasPrefix(entry, "lost: ") }

// FuzzSet compares a set with a plain list of its members.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"1", "*", "5:2,9", "3:*", "9:*,1:3,*", "1:4294967295", "7,8,9,1"} {
		f.Add(s, uint32(6))
	}
	f.Fuzz(func(t *testing.T, in string, last uint32) {
		d := decode(t, strings.ReplaceAll(in, "\r\n", "")+"\r\n", Options{})
		set := d.Set()
		if d.End() != nil || set.Saved {
			return
		}
		last %= 40
		ranges := set.Resolve(last)
		for i, g := range ranges {
			if g.First > g.Last || g.First == 0 || i > 0 && uint64(g.First) <= uint64(ranges[i-1].Last)+1 {
				t.Fatalf("%q at %d gives %v", in, last, ranges)
			}
		}
		for n := uint32(1); n <= 40; n++ {
			if got, want := ranges.Contains(n), inSet(in, n, last); got != want {
				t.Fatalf("%q at %d contains %d = %v, want %v", in, last, n, got, want)
			}
		}
	})
}

// inSet judges by the text of RFC 9051 section 9.
func inSet(set string, n, last uint32) bool {
	if n > last {
		return false
	}
	for _, part := range strings.Split(set, ",") {
		a, b, ok := strings.Cut(part, ":")
		if !ok {
			b = a
		}
		lo, hi := bound(a, last), bound(b, last)
		if min(lo, hi) <= n && n <= max(lo, hi) {
			return true
		}
	}
	return false
}

func bound(s string, last uint32) uint32 {
	if s == "*" {
		return last
	}
	n, _ := parseNumber([]byte(s), 1<<32-1)
	return uint32(n)
}

// FuzzUTF7 holds that each name has one spelling and each spelling one name.
func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"", "a&b", "Entwürfe", "&U,BTFw-&-x", "&2D3eAA-", "台北", "&AGE-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := DecodeUTF7(s); ok {
			if got := string(AppendUTF7(nil, name)); got != s {
				t.Fatalf("%q decodes to %q, which is spelled %q", s, name, got)
			}
		}
		valid := strings.ToValidUTF8(s, "?")
		spelled := string(AppendUTF7(nil, valid))
		if got, ok := DecodeUTF7(spelled); got != valid || !ok {
			t.Fatalf("%q is spelled %q, which decodes to %q, %v", valid, spelled, got, ok)
		}
	})
}

// FuzzMatch compares the automaton with the definition, case by case.
func FuzzMatch(f *testing.F) {
	for _, tt := range matches {
		f.Add(tt.pattern, tt.name)
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern)*len(name) > 1<<16 || name == inbox {
			return
		}
		if got, want := CompilePattern(pattern, '/').Match(name), defined(pattern, name); got != want {
			t.Fatalf("%q matches %q = %v, want %v", pattern, name, got, want)
		}
	})
}

// defined is the definition of RFC 9051 section 6.3.9 as a table: row[j] tells
// whether the pattern read so far matches name[:j].
func defined(pattern, name string) bool {
	row := make([]bool, len(name)+1)
	row[0] = true
	for i := range len(pattern) {
		next := make([]bool, len(row))
		for j := range next {
			switch c := pattern[i]; {
			case c == '*':
				next[j] = row[j] || j > 0 && next[j-1]
			case c == '%':
				next[j] = row[j] || j > 0 && next[j-1] && name[j-1] != '/'
			default:
				next[j] = j > 0 && row[j-1] && name[j-1] == c
			}
		}
		row = next
	}
	return row[len(name)]
}

// FuzzEncodedString holds that any bytes written as a string are read back, but
// for NUL.
func FuzzEncodedString(f *testing.F) {
	f.Add("a", false)
	f.Add("\"\\\r\n\x00ä", true)
	f.Fuzz(func(t *testing.T, s string, utf8 bool) {
		out, err := tryEncode(utf8, func(e *Encoder) { e.String(s) })
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(strings.NewReader(out+"\r\n"), Options{Responses: true, MaxLine: 1 << 30})
		r.SetUTF8(utf8)
		d, err := r.Command()
		if err != nil {
			t.Fatal(err)
		}
		got := d.String()
		if err := d.End(); err != nil || got != strings.ReplaceAll(s, "\x00", "?") {
			t.Fatalf("%q was written %q and read %q, %v", s, out, got, err)
		}
		if err := r.Wait(); err != io.EOF {
			t.Fatalf("%q left something over: %v", out, err)
		}
	})
}

package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	type token = func(*Decoder) any
	var (
		tag     token = func(d *Decoder) any { return d.Tag() }
		atom    token = func(d *Decoder) any { return d.Atom() }
		keyword token = func(d *Decoder) any { return d.Keyword() }
		astring token = func(d *Decoder) any { return d.Astring() }
		str     token = func(d *Decoder) any { return d.String() }
		number  token = func(d *Decoder) any { return d.Number() }
		nz      token = func(d *Decoder) any { return d.NzNumber() }
		num64   token = func(d *Decoder) any { return d.Number64() }
		flag    token = func(d *Decoder) any { return d.Flag() }
		flags   token = func(d *Decoder) any { return d.Flags() }
		store   token = func(d *Decoder) any { return d.StoreFlags() }
		partial token = func(d *Decoder) any { return d.Partial() }
		status  token = func(d *Decoder) any { return d.StatusItems() }
	)
	for _, tt := range []struct {
		name  string
		token token
		in    string
		want  any    // of a token that is the whole line
		bad   string // or: what the SyntaxError wants
	}{
		{name: "tag", token: tag, in: "A%1", bad: "end"},
		{name: "tag with bracket", token: tag, in: "A]1", want: "A]1"},
		{name: "tag with plus", token: tag, in: "+1", bad: "a tag"},
		{name: "empty tag", token: tag, in: "", bad: "a tag"},
		{name: "atom", token: atom, in: "$Forwarded+x", want: "$Forwarded+x"},
		{name: "atom with bracket", token: atom, in: "a]", bad: "end"},
		{name: "atom with 8 bits", token: atom, in: "\xc3\xa4", bad: "an atom"},
		{name: "atom with wildcard", token: atom, in: "a*", bad: "end"},
		{name: "keyword", token: keyword, in: "utf8=accept", want: "UTF8=ACCEPT"},
		{name: "long keyword", token: keyword, in: strings.Repeat("x", 40), want: strings.Repeat("X", 40)},
		{name: "astring atom", token: astring, in: "a]+", want: "a]+"},
		{name: "astring NIL", token: astring, in: "NIL", want: "NIL"},
		{name: "astring quoted", token: astring, in: `"a b"`, want: "a b"},
		{name: "astring empty", token: astring, in: `""`, want: ""},
		{name: "astring escapes", token: astring, in: `"\\\""`, want: `\"`},
		{name: "astring list", token: astring, in: "(", bad: "a string"},
		{name: "quoted bad escape", token: astring, in: `"\n"`, bad: "after a backslash"},
		{name: "quoted ends in backslash", token: astring, in: `"abc\`, bad: "after a backslash"},
		{name: "quoted open", token: astring, in: `"abc`, bad: "the end of a quoted"},
		{name: "quoted open after escape", token: astring, in: `"a\"bc`, bad: "the end of a quoted"},
		{name: "quoted NUL", token: astring, in: "\"a\x00\"", bad: "permitted"},
		{name: "quoted 8 bits", token: astring, in: "\"\xc3\xa4\"", bad: "permitted"},
		{name: "quoted tab", token: astring, in: "\"a\tb\"", want: "a\tb"},
		{name: "string atom", token: str, in: "abc", bad: "a quoted string"},
		{name: "number", token: number, in: "4294967295", want: uint32(4294967295)},
		{name: "number too large", token: number, in: "4294967296", bad: "a number"},
		{name: "number negative", token: number, in: "-1", bad: "a number"},
		{name: "nz zero", token: nz, in: "0", bad: "above zero"},
		{name: "number64", token: num64, in: "9223372036854775807", want: int64(9223372036854775807)},
		{name: "number64 too large", token: num64, in: "9223372036854775808", bad: "a number"},
		{name: "number64 empty", token: num64, in: "", bad: "a number"},
		{name: "system flag", token: flag, in: `\sEEN`, want: imap.FlagSeen},
		{name: "other flag", token: flag, in: `\Custom`, want: imap.Flag(`\Custom`)},
		{name: "keyword flag", token: flag, in: `$MDNSent`, want: imap.FlagMDNSent},
		{name: "wildcard flag", token: flag, in: `\*`, bad: "the name of a flag"},
		{name: "no flags", token: flags, in: `()`, want: []imap.Flag{}},
		{name: "flags", token: flags, in: `(\seen foo)`, want: []imap.Flag{imap.FlagSeen, "foo"}},
		{name: "flags with spaces", token: flags, in: `(foo  bar)`, bad: "a flag"},
		{name: "flags that end in space", token: flags, in: `(foo )`, bad: "a flag"},
		{name: "flags open", token: flags, in: `(foo`, bad: "a space"},
		{name: "store flags", token: store, in: `foo \Draft`, want: []imap.Flag{"foo", imap.FlagDraft}},
		{name: "partial", token: partial, in: "100:1", want: Partial{1, 100}},
		{name: "partial from the end", token: partial, in: "-1:-100", want: Partial{-1, -100}},
		{name: "partial of both", token: partial, in: "-1:100", bad: `"-"`},
		{name: "partial zero", token: partial, in: "0:1", bad: "above zero"},
		{name: "status", token: status, in: "(messages UIDNEXT)", want: StatusMessages | StatusUIDNext},
		{name: "status empty", token: status, in: "()", bad: "a status"},
		{name: "status unknown", token: status, in: "(MESSAGES FOO)", bad: "a known status"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := decode(t, tt.in+"\r\n", Options{})
			got := tt.token(d)
			err := d.End()
			if tt.bad != "" {
				wantSyntax(t, err, tt.bad)
				return
			}
			if err != nil {
				t.Fatalf("error: %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNString(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"nil", "", false}, {`"NIL"`, "NIL", true}, {`""`, "", true}, {"{3+}\r\nNIL", "NIL", true},
	} {
		d := decode(t, tt.in+"\r\n", Options{})
		got, ok := d.NString()
		if err := d.End(); err != nil || got != tt.want || ok != tt.ok {
			t.Errorf("%q = %q, %v, %v; want %q, %v", tt.in, got, ok, err, tt.want, tt.ok)
		}
	}
	for _, in := range []string{"NILL", "x", "NI"} {
		d := decode(t, in+"\r\n", Options{})
		d.NString()
		wantSyntax(t, d.End(), "a string or NIL")
	}
}

func TestUTF8Quoted(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{"\"\xc3\xa4\"": true, "\"\xc3\"": false, "\"\xed\xa0\x80\"": false} {
		r := NewReader(strings.NewReader(in+"\r\n"), Options{})
		r.SetUTF8(true)
		d, err := r.Command()
		if err != nil {
			t.Fatal(err)
		}
		d.Astring()
		if got := d.End() == nil; got != ok {
			t.Errorf("%q accepted = %v, want %v", in, got, ok)
		}
	}
}

func TestListDepth(t *testing.T) {
	t.Parallel()
	for depth, ok := range map[int]bool{3: true, 4: false, 10000: false} {
		in := strings.Repeat("(", depth) + strings.Repeat(")", depth) + "\r\n"
		d := decode(t, in, Options{MaxDepth: 3})
		var item func()
		item = func() { d.List(item) }
		d.List(item)
		if ok {
			if err := d.End(); err != nil {
				t.Errorf("depth %d: %v", depth, err)
			}
			continue
		}
		wantLimit(t, d.End())
	}
}

func TestErrorIsTheFirst(t *testing.T) {
	t.Parallel()
	d := decode(t, "a b\r\n", Options{})
	d.Atom()
	d.Expect('(')
	d.Fail(errors.New("later"))
	if got := d.Atom(); got != "" {
		t.Errorf("read %q after an error", got)
	}
	var se *SyntaxError
	if err := d.End(); !errors.As(err, &se) || se.At != 1 {
		t.Errorf("error = %v, want the first, at byte 1", err)
	}
	if got, want := se.Error(), `expected "(" at byte 1 of the line`; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
}

func TestWildcardFlagFromServer(t *testing.T) {
	t.Parallel()
	d := decode(t, `(\Seen \*)`+"\r\n", Options{Responses: true})
	got := d.Flags()
	if diff := cmp.Diff([]imap.Flag{imap.FlagSeen, imap.FlagWildcard}, got); diff != "" || d.End() != nil {
		t.Errorf("flags (-want +got):\n%s%v", diff, d.Err())
	}
}

func TestKeywordsDoNotAllocate(t *testing.T) {
	d := decode(t, "fetch\r\n", Options{})
	if n := testing.AllocsPerRun(100, func() { d.pos = 0; d.Keyword() }); n != 0 {
		t.Errorf("a known keyword took %v allocations", n)
	}
}

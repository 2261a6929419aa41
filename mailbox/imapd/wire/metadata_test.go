package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGetMetadata(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]GetMetadata{
		`"" /shared/comment`: {Entries: []string{"/shared/comment"}, MaxSize: -1}, // RFC 5464, 4.2
		`"INBOX" (/shared/comment /private/comment)`: {Mailbox: "INBOX", MaxSize: -1,
			Entries: []string{"/shared/comment", "/private/comment"}},
		`"INBOX" (MAXSIZE 1024) (/shared/comment /private/comment)`: {Mailbox: "INBOX", MaxSize: 1024,
			Entries: []string{"/shared/comment", "/private/comment"}},
		`(DEPTH 1) "INBOX" (/private/filters/values)`: {Mailbox: "INBOX", MaxSize: -1, Depth: DepthOne,
			Entries: []string{"/private/filters/values"}},
		`(depth Infinity maxsize 0) x "/private"`: {Mailbox: "x", Depth: DepthInfinity, Entries: []string{"/private"}},
	} {
		d := decode(t, in+"\r\n", Options{})
		got := d.GetMetadata()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
		again := decode(t, encode(t, func(e *Encoder) { e.GetMetadata(&got) })+"\r\n", Options{})
		if diff := cmp.Diff(want, again.GetMetadata()); diff != "" {
			t.Errorf("%q, written and read (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{
		"", `""`, `"" `, `"" ()`, `(MAXSIZE 1) ""`, `(MAXSIZE) "" x`, `(DEPTH 2) "" x`, `(FAST 1) "" x`,
		`"" (MAXSIZE 1)`, `"" (DEPTH 1) (DEPTH 0)`, `() "" x y`,
	} {
		d := decode(t, in+"\r\n", Options{})
		d.GetMetadata()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestMetadataEntries(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]MetadataEntry{
		"(/private/comment {3}\r\nabc)":              {{"/private/comment", []byte("abc")}},
		`(/private/comment NIL)`:                     {{"/private/comment", nil}}, // RFC 5464, 4.3
		`(/private/a "" /shared/b "x\"y")`:           {{"/private/a", []byte{}}, {"/shared/b", []byte(`x"y`)}},
		"(\"/private/a\" ~{3+}\r\nx\x00y)":           {{"/private/a", []byte("x\x00y")}},
		"(/private/a {0+}\r\n /private/b {1+}\r\nx)": {{"/private/a", []byte{}}, {"/private/b", []byte("x")}},
	} {
		d := decode(t, in+"\r\n", Options{})
		got := d.MetadataEntries()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
		again := decode(t, encode(t, func(e *Encoder) { e.MetadataEntries(got) })+"\r\n", Options{})
		if diff := cmp.Diff(want, again.MetadataEntries()); diff != "" {
			t.Errorf("%q, written and read (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{"", "()", "(/private/a)", "(/private/a b)", "(/private/a {3+}\r\nx\x00y)", `/private/a "x"`} {
		d := decode(t, in+"\r\n", Options{})
		d.MetadataEntries()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

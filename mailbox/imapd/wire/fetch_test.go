package wire

import (
	"math"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

func body(s imap.FetchItemBodySection) Section { return Section{FetchItemBodySection: s} }

func TestFetch(t *testing.T) {
	t.Parallel()
	fast := FetchFlags | FetchInternalDate | FetchSize
	for _, tt := range []struct {
		in   string
		want Fetch
	}{
		{"all", Fetch{Items: fast | FetchEnvelope}},
		{"FAST", Fetch{Items: fast}},
		{"FULL", Fetch{Items: fast | FetchEnvelope | FetchBody}},
		{"flags", Fetch{Items: FetchFlags}},
		{"(UID BODY BODYSTRUCTURE)", Fetch{Items: FetchUID | FetchBody | FetchBodyStructure}},
		{"(PREVIEW (LAZY) EMAILID)", Fetch{Items: FetchPreview | FetchPreviewLazy | FetchEmailID}},
		{"PREVIEW (LAZY)", Fetch{Items: FetchPreview | FetchPreviewLazy}},
		{"RFC822", Fetch{Sections: []Section{legacySections["RFC822"]}}},
		{"BODY[]", Fetch{Sections: []Section{{}}}},
		{"body.peek[header]", Fetch{Sections: []Section{
			body(imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true})}}},
		{"BODY[4.2.HEADER.FIELDS (DATE \"From\")]<0.100>", Fetch{Sections: []Section{
			body(imap.FetchItemBodySection{
				Part: []int{4, 2}, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"DATE", "From"},
				Partial: &imap.SectionPartial{Offset: 0, Size: 100},
			})}}},
		{"BODY[HEADER.FIELDS.NOT (X)]", Fetch{Sections: []Section{
			body(imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFieldsNot: []string{"X"}})}}},
		{"(BODY[1.MIME] BINARY.SIZE[2] BINARY.PEEK[3]<5.6>)", Fetch{Sections: []Section{
			body(imap.FetchItemBodySection{Part: []int{1}, Specifier: imap.PartSpecifierMIME}),
			{SectionBinarySize, imap.FetchItemBodySection{Part: []int{2}, Peek: true}},
			{SectionBinary, imap.FetchItemBodySection{Part: []int{3}, Peek: true,
				Partial: &imap.SectionPartial{Offset: 5, Size: 6}}},
		}}},
		// The end of the range can be computed.
		{"BODY[]<1.9223372036854775807>", Fetch{Sections: []Section{
			body(imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 1, Size: math.MaxInt64 - 1}})}}},
		{"(FLAGS) (CHANGEDSINCE 12345 VANISHED)", Fetch{Items: FetchFlags, ChangedSince: 12345, Vanished: true}},
		{"UID (PARTIAL -1:-30)", Fetch{Items: FetchUID, Partial: Partial{-1, -30}}},
	} {
		d := decode(t, tt.in+"\r\n", Options{})
		got := d.Fetch()
		if err := d.End(); err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if tt.want.ChangedSince == 0 {
			tt.want.ChangedSince = -1
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestFetchRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"()", "FOO", "(ALL)", "(FLAGS", "BODY[", "BODY[0]", "BODY[1.]", "BODY[MIME]", "BODY[1.FOO]", "BODY[1.2",
		"BODY[]<0.0>", "BODY[]<0>", "BODY[]<-1.2>", "BODY[]<9223372036854775808.1>", "BODY[HEADER.FIELDS]",
		"BODY[HEADER.FIELDS ()]", "BINARY[HEADER]", "BINARY[1.MIME]", "BINARY", "BINARY.SIZE[1]<0.1>", "BODY.PEEK",
		"FLAGS (VANISHED)", "FLAGS (FOO)", "FLAGS (CHANGEDSINCE x)", "RFC822.PEEK", "BODY[4294967296]",
	} {
		d := decode(t, in+"\r\n", Options{})
		if d.Fetch(); d.End() == nil {
			t.Errorf("%s was accepted", in)
		}
	}
}

func TestFetchLimits(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"(" + strings.Repeat("BODY[] ", MaxSections) + "BODY[])",
		"BODY[" + strings.Repeat("1.", DefaultMaxDepth) + "1]",
	} {
		d := decode(t, in+"\r\n", Options{})
		d.Fetch()
		wantLimit(t, d.End())
	}
}

func TestSectionLabel(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"BODY.PEEK[]":         "BODY[]",
		"BODY[1.2.TEXT]<5.6>": "BODY[1.2.TEXT]<5>",
		"BODY[]<0.6>":         "BODY[]<0>",
		"BODY.PEEK[HEADER.FIELDS (FROM \"a b\")]": "BODY[HEADER.FIELDS (FROM \"a b\")]",
		"BODY[1.HEADER.FIELDS.NOT (X)]":           "BODY[1.HEADER.FIELDS.NOT (X)]",
		"BINARY.PEEK[1]<0.3>":                     "BINARY[1]<0>",
		"BINARY.SIZE[1.2]":                        "BINARY.SIZE[1.2]",
		"RFC822":                                  "RFC822",
		"RFC822.HEADER":                           "RFC822.HEADER",
		"RFC822.TEXT":                             "RFC822.TEXT",
	} {
		d := decode(t, in+"\r\n", Options{})
		f := d.Fetch()
		if err := d.End(); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := encode(t, func(e *Encoder) { e.SectionLabel(&f.Sections[0]) }); got != want {
			t.Errorf("%s is labelled %s, want %s", in, got, want)
		}
	}
}

func TestItemNames(t *testing.T) {
	t.Parallel()
	if got, want := (FetchFlags | FetchUID).String(), "UID FLAGS"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (StatusUnseen | StatusMessages).String(), "MESSAGES UNSEEN"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

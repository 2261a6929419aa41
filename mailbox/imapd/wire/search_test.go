package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	day := time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		in   string
		want Search
	}{
		{"ALL", Search{Key: SearchKey{Op: SearchAll}}},
		// RFC 9051, 6.4.4
		{`RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"`, Search{
			Extended: true, Return: ReturnMin | ReturnCount,
			Key: SearchKey{Op: SearchAnd, Keys: []SearchKey{
				{Op: SearchFlag, Flag: imap.FlagFlagged},
				{Op: SearchSince, Date: day},
				{Op: SearchNot, Keys: []SearchKey{{Op: SearchHeader, Field: "FROM", Text: "Smith"}}},
			}},
		}},
		{"RETURN () 1:5", Search{Extended: true, Return: ReturnAll,
			Key: SearchKey{Op: SearchSeq, Set: Set{Ranges: []Range{{1, 5}}}}}},
		{"RETURN (SAVE PARTIAL 1:10) $", Search{Extended: true, Return: ReturnSave | ReturnPartial,
			Partial: Partial{1, 10}, Key: SearchKey{Op: SearchSeq, Set: Set{Saved: true}}}},
		{"CHARSET utf-8 TEXT {4+}\r\n\xc3\xa4\xc3\xb6", Search{Charset: "UTF-8",
			Key: SearchKey{Op: SearchText, Text: "äö"}}},
		{"OR (SEEN (DRAFT)) UID 5:*", Search{Key: SearchKey{Op: SearchOr, Keys: []SearchKey{
			{Op: SearchAnd, Keys: []SearchKey{
				{Op: SearchFlag, Flag: imap.FlagSeen}, {Op: SearchFlag, Flag: imap.FlagDraft}}},
			{Op: SearchUID, Set: Set{Ranges: []Range{{5, 0}}}},
		}}}},
		{"NEW", Search{Key: SearchKey{Op: SearchAnd, Keys: searchNew()}}},
		{"OLD", Search{Key: SearchKey{Op: SearchUnflag, Flag: FlagRecent}}},
		{"unkeyword $Junk", Search{Key: SearchKey{Op: SearchUnflag, Flag: "$Junk"}}},
		{`HEADER X-Foo ""`, Search{Key: SearchKey{Op: SearchHeader, Field: "X-Foo"}}},
		{"MODSEQ 620162338", Search{Key: SearchKey{Op: SearchModSeq, Number: 620162338}}},
		{`MODSEQ "/flags/\\draft" all 620162338`, Search{Key: SearchKey{ // RFC 7162, 3.1.5
			Op: SearchModSeq, Field: `/flags/\draft`, Text: "ALL", Number: 620162338}}},
		{"YOUNGER 259200", Search{Key: SearchKey{Op: SearchYounger, Number: 259200}}},
		{"LARGER 9223372036854775807", Search{Key: SearchKey{Op: SearchLarger, Number: 1<<63 - 1}}},
		{"EMAILID M6d99ac3275bb4e", Search{Key: SearchKey{Op: SearchEmailID, Text: "M6d99ac3275bb4e"}}},
		{`SENTON "1-Feb-1994"`, Search{Key: SearchKey{Op: SearchSentOn, Date: day}}},
		{"SAVEDATESUPPORTED", Search{Key: SearchKey{Op: SearchSaveDateSupported}}},
	} {
		d := decode(t, tt.in+"\r\n", Options{})
		got := d.Search()
		if err := d.End(); err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestSearchRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "FOO", "()", "(SEEN", "SEEN ", "NOT", "OR SEEN", "OR SEEN ", "FROM", "SINCE x", "SINCE 30-Feb-2020",
		"RETURN (FOO) ALL", "RETURN (ALL PARTIAL 1:2) ALL", "RETURN (PARTIAL) ALL", "RETURN ALL", "RETURN ()",
		"RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL",
		"CHARSET utf-8", "KEYWORD \\Seen", "LARGER -1", "YOUNGER 0", "UID", "UID 0", "MODSEQ", "1:5SEEN",
	} {
		d := decode(t, in+"\r\n", Options{})
		if d.Search(); d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestSearchDepth(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		strings.Repeat("NOT ", 9000) + "ALL",
		strings.Repeat("(", 9000) + "ALL" + strings.Repeat(")", 9000),
		strings.Repeat("OR ALL ", 9000) + "ALL",
		strings.Repeat("NOT (", 9000) + "ALL" + strings.Repeat(")", 9000),
	} {
		d := decode(t, in+"\r\n", Options{MaxLine: 1 << 20})
		d.Search()
		wantLimit(t, d.End())
	}
}

func TestWriteSearch(t *testing.T) {
	t.Parallel()
	// Each is the normal form of what it says.
	for _, in := range []string{
		"ALL", "(SEEN UNSEEN RECENT OLD)", "RETURN (MIN MAX ALL COUNT SAVE) CHARSET UTF-8 NOT DELETED",
		"RETURN (PARTIAL -1:-20) OR KEYWORD $Junk UNKEYWORD b", "HEADER X-Foo bar", "SUBJECT \"a b\"",
		"UID 1:5,7:*", "$", "2,4", "SAVEDSINCE 1-Feb-2020", "OLDER 5", "SMALLER 0", "THREADID abc",
		"MODSEQ \"/flags/x\" PRIV 7", "MODSEQ 7", "SAVEDATESUPPORTED", "SENTBEFORE 10-Dec-1999",
	} {
		d := decode(t, in+"\r\n", Options{})
		s := d.Search()
		if err := d.End(); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := encode(t, func(e *Encoder) { e.Search(&s) }); got != in {
			t.Errorf("got %s, want %s", got, in)
		}
	}
}

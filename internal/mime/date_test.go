package mime

import (
	"net/mail"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	const want = "2026-11-23T14:08:09+01:00"
	tests := []struct{ name, in, want string }{
		{"usual", "Mon, 23 Nov 2026 14:08:09 +0100", want},
		{"no day name", "23 Nov 2026 14:08:09 +0100", want},
		{"wrong day name is not our business", "Sun, 23 Nov 2026 14:08:09 +0100", want},
		{"comments and blanks", "(a) Mon (b) , (c)  23 (d) Nov 2026 14 : 08 : 09 +0100 (CET)", want},
		{"hyphens", "23-Nov-2026 14:08:09 +0100", want},
		{"long names", "Monday, 23 November 2026 14:08:09 +0100", want},
		{"capitals", "MON, 23 NOV 2026 14:08:09 +0100", want},
		{"year of two digits", "23 Nov 26 14:08:09 +0100", want},
		{"year of two digits, last century", "23 Nov 99 14:08:09 +0100", "1999-11-23T14:08:09+01:00"},
		{"year of three digits", "23 Nov 126 14:08:09 +0100", want},
		{"no seconds", "Mon, 23 Nov 2026 14:08 +0100", "2026-11-23T14:08:00+01:00"},
		{"short hour and day", "Mon, 3 Nov 2026 4:08:09 +0100", "2026-11-03T04:08:09+01:00"},
		{"leap second", "31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00Z"},
		{"leap day", "29 Feb 2024 00:00:00 +0000", "2024-02-29T00:00:00Z"},
		{"leap day of a century", "29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00Z"},
		{"half hour", "1 Jan 2026 00:00:00 -0330", "2026-01-01T00:00:00-03:30"},
		{"unknown local zone", "1 Jan 2026 00:00:00 -0000", "2026-01-01T00:00:00Z"},
		{"GMT", "1 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00Z"},
		{"EDT", "1 Jun 2026 00:00:00 EDT", "2026-06-01T00:00:00-04:00"},
		{"PST", "1 Jan 2026 00:00:00 pst", "2026-01-01T00:00:00-08:00"},
		{"military", "1 Jan 2026 00:00:00 A", "2026-01-01T00:00:00Z"},
		{"no zone", "1 Jan 2026 00:00:00", "2026-01-01T00:00:00Z"},
		{"zone out of range", "1 Jan 2026 00:00:00 +9999", "2026-01-01T00:00:00Z"},
		{"zone too short", "1 Jan 2026 00:00:00 +1", "2026-01-01T00:00:00Z"},

		{"empty", "", ""},
		{"text", "yesterday", ""},
		{"day 0", "0 Jan 2026 00:00:00 +0000", ""},
		{"day 32", "32 Jan 2026 00:00:00 +0000", ""},
		{"31 April", "31 Apr 2026 00:00:00 +0000", ""},
		{"29 February", "29 Feb 2026 00:00:00 +0000", ""},
		{"29 February of a century", "29 Feb 1900 00:00:00 +0000", ""},
		{"unknown month", "1 Foo 2026 00:00:00 +0000", ""},
		{"letters of two months", "1 anf 2026 00:00:00 +0000", ""},
		{"short month", "1 Ja 2026 00:00:00 +0000", ""},
		{"no year", "1 Jan 00:00:00 +0000", ""},
		{"no time", "1 Jan 2026", ""},
		{"hour 24", "1 Jan 2026 24:00:00 +0000", ""},
		{"minute 60", "1 Jan 2026 00:60:00 +0000", ""},
		{"second 61", "1 Jan 2026 00:00:61 +0000", ""},
		{"no minutes", "1 Jan 2026 00 +0000", ""},
		{"no seconds after colon", "1 Jan 2026 00:00: +0000", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := ParseDate(tt.in)
			text := ""
			if ok {
				text = got.Format(time.RFC3339)
			}
			if text != tt.want || !ok && !got.IsZero() {
				t.Errorf("ParseDate(%q) = %v, %v, want %q", tt.in, got, ok, tt.want)
			}
		})
	}
}

func TestParseDateEveryMonth(t *testing.T) {
	t.Parallel()
	for m := range 12 {
		want := time.Date(2026, time.Month(m+1), 28, 1, 2, 3, 0, time.UTC)
		if got, ok := ParseDate(want.Format(time.RFC1123Z)); !ok || !got.Equal(want) {
			t.Errorf("%v reads as %v, %v", want, got, ok)
		}
	}
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"Mon, 23 Nov 2026 14:08:09 +0100", "1 jan 99 1:2 EST", "(c(d) 3-Feb-126 0:0:60 -0330 (x)", "31 Dec 9999 23:59:60 -2359", "1 Jan 0000 00:00 +2359"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s)
		if !ok {
			return
		}
		if again, ok := ParseDate(got.Format("2 Jan 2006 15:04:05 -0700")); got.Year() < 10000 && (!ok || !again.Equal(got)) {
			t.Errorf("ParseDate(%q) = %v, which reads as %v, %v", s, got, again, ok)
		}
		m := Message{Root: &Part{Type: "text", Subtype: "plain"}}
		m.Envelope.Time = got
		h, err := ParseHead(m.AppendBinary(nil))
		if err != nil || !h.Envelope.Time.Equal(got) {
			t.Errorf("stored %v, read %v, %v", got, h.Envelope.Time, err)
		}
		// The standard library knows no obsolete zones, and lets zones through that are none.
		want, err := mail.ParseDate(s)
		if _, off := want.Zone(); err == nil && off == offset(got) && !got.Equal(want) && !strings.ContainsAny(s, "-(") {
			t.Errorf("ParseDate(%q) = %v, net/mail says %v", s, got, want)
		}
	})
}

func offset(t time.Time) int {
	_, off := t.Zone()
	return off
}

package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorder writes down what a scan told.
type recorder struct {
	events []string
	bytes  []byte
}

func (r *recorder) begin(h packetHead) error {
	r.events = append(r.events, fmt.Sprintf("begin %d %d %v", h.tag, h.size, h.partial))
	r.bytes = nil
	return nil
}

func (r *recorder) body(b []byte) error {
	r.bytes = append(r.bytes, b...)
	return nil
}

func (r *recorder) end() error {
	r.events = append(r.events, fmt.Sprintf("end %q", r.bytes))
	return nil
}

func TestPacketScanner(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{'x'}, 8400)
	tests := []struct {
		name  string
		input string
		want  []string
		err   bool
	}{
		{"nothing", "", nil, false},
		{"one octet length", "\xD2\x03abc", []string{"begin 18 3 false", `end "abc"`}, false},
		{"two octet length", "\xD2\xC0\x08" + string(long[:200]), []string{"begin 18 200 false", fmt.Sprintf("end %q", long[:200])}, false},
		{"five octet length", "\xD2\xFF\x00\x00\x20\xD0" + string(long), []string{"begin 18 8400 false", fmt.Sprintf("end %q", long)}, false},
		{"partial lengths", "\xD2\xE1ab\xE0c\x02de", []string{"begin 18 2 true", `end "abcde"`}, false},
		{"partial then empty", "\xD2\xE1ab\x00", []string{"begin 18 2 true", `end "ab"`}, false},
		{"empty packet", "\xCA\x00", []string{"begin 10 0 false", `end ""`}, false},
		{"old format, one", "\x84\x02ab", []string{"begin 1 2 false", `end "ab"`}, false},
		{"old format, two", "\x85\x00\x02ab", []string{"begin 1 2 false", `end "ab"`}, false},
		{"old format, four", "\x8E\x00\x00\x00\x02ab", []string{"begin 3 2 false", `end "ab"`}, false},
		{"two packets", "\xCA\x01a\x84\x01b", []string{"begin 10 1 false", `end "a"`, "begin 1 1 false", `end "b"`}, false},
		{"old format without length", "\x87ab", nil, true},
		{"no packet", "hello", nil, true},
		{"cut off in a body", "\xD2\x03ab", []string{"begin 18 3 false"}, true},
		{"cut off in a length", "\xD2\xFF\x00", nil, true},
		{"cut off between pieces", "\xD2\xE0a", []string{"begin 18 1 true"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1, 2, 3, len(tt.input) + 1} {
				got, err := scanPieces([]byte(tt.input), piece)
				if diff := cmp.Diff(got.events, tt.want); diff != "" {
					t.Errorf("pieces of %d: got - want +\n%s", piece, diff)
				}
				if (err != nil) != tt.err {
					t.Errorf("pieces of %d: got error %v, want one: %v", piece, err, tt.err)
				}
			}
		})
	}
}

// scanPieces scans b in writes of n octets.
func scanPieces(b []byte, n int) (recorder, error) {
	var r recorder
	s := packetScanner{sink: &r}
	for len(b) > 0 {
		if _, err := s.Write(b[:min(n, len(b))]); err != nil {
			return r, err
		}
		b = b[min(n, len(b)):]
	}
	return r, s.Close()
}

func FuzzPacketScanner(f *testing.F) {
	f.Add([]byte("\xD2\xE1ab\xE0c\x02de\x84\x01b"))
	f.Add([]byte("\xD2\xFF\x00\x00\x20\xD0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, wholeErr := scanPieces(b, len(b)+1)
		single, singleErr := scanPieces(b, 1)
		if (wholeErr == nil) != (singleErr == nil) {
			t.Errorf("one write: %v, single octets: %v", wholeErr, singleErr)
		}
		if wholeErr == nil || errors.Is(wholeErr, errPacketEnd) {
			if diff := cmp.Diff(single.events, whole.events); diff != "" {
				t.Errorf("single octets - one write +\n%s", diff)
			}
		}
	})
}

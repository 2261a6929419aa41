package wire

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want []Range
	}{
		{"1", []Range{{1, 1}}},
		{"*", []Range{{0, 0}}},
		{"*:*", []Range{{0, 0}}},
		{"5:*", []Range{{5, 0}}},
		{"*:5", []Range{{5, 0}}},
		{"4:2", []Range{{2, 4}}},
		{"2,4:7,9,12:*", []Range{{2, 2}, {4, 7}, {9, 9}, {12, 0}}}, // RFC 9051, 9
		{"*:4,5:7", []Range{{5, 7}, {4, 0}}},
		{"3,1,2", []Range{{1, 3}}},
		{"1:3,2:9,10", []Range{{1, 10}}},
		{"1:9,3:4,20", []Range{{1, 9}, {20, 20}}},
		{"7:*,*,3:*", []Range{{3, 0}}},
		{"4294967295,1:4294967295", []Range{{1, math.MaxUint32}}},
	} {
		d := decode(t, tt.in+"\r\n", Options{})
		got := d.Set()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
		if diff := cmp.Diff(tt.want, got.Ranges); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.in, diff)
		}
	}
	for _, in := range []string{"0", "", "1,", ",1", "1:", "1:2:3", "4294967296", "a", "1 ", "$1"} {
		d := decode(t, in+"\r\n", Options{})
		d.Set()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestSavedSet(t *testing.T) {
	t.Parallel()
	d := decode(t, "$\r\n", Options{})
	s := d.Set()
	if !s.Saved || !s.Dynamic() || s.IsZero() || d.End() != nil {
		t.Errorf("$ = %+v, %v", s, d.Err())
	}
	if got := encode(t, func(e *Encoder) { e.Set(s) }); got != "$" {
		t.Errorf("written as %q", got)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		set  []Range
		last uint32
		want Ranges
	}{
		{[]Range{{1, 5}}, 0, nil},
		{[]Range{{1, 5}}, 3, Ranges{{1, 3}}},
		{[]Range{{0, 0}}, 3, Ranges{{3, 3}}},
		{[]Range{{9, 0}}, 3, Ranges{{3, 3}}},
		{[]Range{{2, 0}}, 3, Ranges{{2, 3}}},
		{[]Range{{1, 2}, {5, 7}, {4, 0}}, 8, Ranges{{1, 2}, {4, 8}}},
		{[]Range{{5, 7}}, 3, Ranges{}},
	} {
		got := Set{Ranges: tt.set}.Resolve(tt.last)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v at %d (-want +got):\n%s", tt.set, tt.last, diff)
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	r := Ranges{{2, 4}, {7, 7}, {10, math.MaxUint32}}
	var got []uint32
	for n := range uint32(13) {
		if r.Contains(n) {
			got = append(got, n)
		}
	}
	if diff := cmp.Diff([]uint32{2, 3, 4, 7, 10, 11, 12}, got); diff != "" {
		t.Errorf("contained (-want +got):\n%s", diff)
	}
	if got, want := r.Count(), uint64(4+math.MaxUint32-9); got != want {
		t.Errorf("Count = %d, want %d", got, want)
	}
}

func TestNums(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		nums []uint32
		want string
	}{
		{[]uint32{1}, "1"},
		{[]uint32{1, 2}, "1:2"},
		{[]uint32{1, 2, 3, 5, 7, 8}, "1:3,5,7:8"},
		{[]uint32{3, 2, 1}, "3,2,1"},
		{[]uint32{304, 319, 320}, "304,319:320"}, // RFC 4315, 3
		{[]uint32{math.MaxUint32 - 1, math.MaxUint32}, "4294967294:4294967295"},
	} {
		if got := encode(t, func(e *Encoder) { e.Nums(tt.nums) }); got != tt.want {
			t.Errorf("%v = %q, want %q", tt.nums, got, tt.want)
		}
	}
	for _, bad := range [][]uint32{nil, {0}, {math.MaxUint32, 0}} {
		if out, err := tryEncode(false, func(e *Encoder) { e.Nums(bad) }); err == nil || out != "" {
			t.Errorf("%v = %q, %v; want an error and nothing written", bad, out, err)
		}
	}
}

func TestHugeSet(t *testing.T) {
	t.Parallel()
	nums := make([]uint32, 0, 100000)
	for n := uint32(1); len(nums) < cap(nums); n += 2 {
		nums = append(nums, n)
	}
	slices.Reverse(nums)
	in := encode(t, func(e *Encoder) { e.Nums(nums) })
	d := decode(t, in+"\r\n", Options{MaxLine: 1 << 20})
	start := time.Now()
	set := d.Set()
	if err := d.End(); err != nil {
		t.Fatal(err)
	}
	if got := len(set.Ranges); got != len(nums) {
		t.Errorf("%d ranges, want %d", got, len(nums))
	}
	// A quadratic reader needs tens of seconds.
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d bytes took %v", len(in), took)
	}
	if strings.Contains(in, ":") {
		t.Error("the set was meant to have no runs")
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -(5*3600 + 30*60))
	for in, want := range map[string]time.Time{
		`" 1-Feb-2020 03:04:05 +0000"`: time.Date(2020, 2, 1, 3, 4, 5, 0, time.UTC),
		`"1-feb-2020 03:04:05 +0000"`:  time.Date(2020, 2, 1, 3, 4, 5, 0, time.UTC),
		`"29-Feb-2024 23:59:59 -0530"`: time.Date(2024, 2, 29, 23, 59, 59, 0, zone),
		`"31-Dec-0000 00:00:60 +0000"`: time.Date(0, 12, 31, 0, 0, 59, 0, time.UTC),
	} {
		d := decode(t, in+"\r\n", Options{})
		got := d.DateTime()
		if err := d.End(); err != nil || !got.Equal(want) {
			t.Errorf("%s = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		`"30-Feb-2024 00:00:00 +0000"`, `"29-Feb-2023 00:00:00 +0000"`, `"00-Jan-2023 00:00:00 +0000"`,
		`" 1-Foo-2023 00:00:00 +0000"`, `" 1-Jan-2023 24:00:00 +0000"`, `" 1-Jan-2023 00:00:00 0000"`,
		`" 1-Jan-23 00:00:00 +0000"`, `" 1-Jan-2023 00:00:00 +0000`, `1-Jan-2023`, `" 1-Jan-2023 00:60:00 +0000"`,
	} {
		d := decode(t, in+"\r\n", Options{})
		if got := d.DateTime(); d.End() == nil || !got.IsZero() {
			t.Errorf("%s = %v, %v; want an error", in, got, d.Err())
		}
	}
}

func TestWriteDates(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 2, 1, 3, 4, 5, 0, time.FixedZone("", -(5*3600+30*60)))
	got := encode(t, func(e *Encoder) {
		e.DateTime(at)
		e.DateTime(at.AddDate(0, 0, 9).UTC())
		e.DateTime(time.Date(123456, 1, 1, 0, 0, 0, 0, time.UTC))
		e.Date(at)
		e.Date(at.AddDate(0, 0, 9))
	})
	want := `" 1-Feb-2020 03:04:05 -0530" "10-Feb-2020 08:34:05 +0000" " 1-Jan-9999 00:00:00 +0000" 1-Feb-2020 10-Feb-2020`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

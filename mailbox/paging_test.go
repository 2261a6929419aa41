package mailbox

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox/seal"
)

func TestDensePages(t *testing.T) {
	t.Parallel()
	page := func(n PageNumber, from, to UID) UIDRange {
		low := UID(n) << PageBits
		return UIDRange{Low: low + from, High: low + to}
	}
	single := func(n PageNumber) (set []UIDRange) {
		for i := range UID(pageLeast) {
			set = append(set, page(n, 2*i, 2*i))
		}
		return set
	}
	type run struct {
		Low, High PageNumber
		OK        bool
	}
	for _, tt := range []struct {
		name string
		set  []UIDRange
		from PageNumber
		want run
	}{
		{"nothing", nil, 0, run{}},
		{"all", AllUIDs(), 0, run{0, PageOf(math.MaxUint32), true}},
		{"the rest", AllUIDs(), 7, run{7, PageOf(math.MaxUint32), true}},
		{"beyond the last", AllUIDs(), PageOf(math.MaxUint32) + 1, run{}},
		{"all of the first", []UIDRange{{Low: 1, High: 63}}, 0, run{0, 0, true}},
		{"up to the end of one", []UIDRange{{Low: 1, High: 63}, {Low: 65, High: 255}}, 0, run{0, 3, true}},
		{"too few", []UIDRange{page(3, 0, pageLeast-2)}, 0, run{}},
		{"enough", []UIDRange{page(3, 0, pageLeast-1)}, 0, run{3, 3, true}},
		{"enough, one by one", single(5), 0, run{5, 5, true}},
		{"too few on both sides", []UIDRange{{Low: 2<<PageBits - 3, High: 2<<PageBits + 3}}, 0, run{}},
		{"a whole one between too few", []UIDRange{{Low: 2<<PageBits - 3, High: 3<<PageBits + 3}}, 0, run{2, 2, true}},
		{"enough in two ranges", []UIDRange{page(2, 0, 7), page(2, 9, 16)}, 0, run{2, 2, true}},
		{"up to a gap", []UIDRange{page(2, 0, 40), page(3, 20, 63), page(4, 3, 5), page(5, 0, 63)}, 0, run{2, 3, true}},
		{"after a gap", []UIDRange{page(2, 0, 40), page(3, 20, 63), page(4, 3, 5), page(5, 0, 63)}, 4, run{5, 5, true}},
		{"one range over many, and more", []UIDRange{{Low: 70, High: 10<<PageBits + 1}, page(10, 3, 60)}, 0, run{1, 10, true}},
	} {
		low, high, ok := densePages(tt.set, tt.from)
		if d := cmp.Diff(tt.want, run{low, high, ok}); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// FuzzDensePages finds the same runs as counting each page does.
func FuzzDensePages(f *testing.F) {
	f.Add([]byte{0, 20, 3, 200, 1, 1}, uint8(0))
	f.Add([]byte{0, 62}, uint8(0))
	f.Add([]byte{63, 1, 0, 63, 200, 255, 255, 255}, uint8(3))
	f.Fuzz(func(t *testing.T, steps []byte, from uint8) {
		var set []UIDRange
		asked := map[PageNumber]int{}
		next := UID(1)
		for ; len(steps) > 1; steps = steps[2:] {
			r := UIDRange{Low: next + UID(steps[0])}
			r.High = r.Low + UID(steps[1])
			set = append(set, r)
			for uid := r.Low; uid <= r.High; uid++ {
				asked[PageOf(uid)]++
			}
			next = r.High + 2
		}
		want := PageNumber(from)
		for want <= PageOf(next) && asked[want] < pageLeast {
			want++
		}
		low, high, ok := densePages(set, PageNumber(from))
		if ok != (want <= PageOf(next)) || ok && low != want {
			t.Fatalf("got a run from %d, %v, want one from %d", low, ok, want)
		}
		for n := low; ok && n <= high+1; n++ {
			if (asked[n] >= pageLeast) != (n <= high) {
				t.Fatalf("the run from %d to %d ends at the wrong page: %d of %d", low, high, asked[n], n)
			}
		}
	})
}

// FuzzPage: what parses is written the same again, and what was written parses.
func FuzzPage(f *testing.F) {
	m := Message{Row: Row{UID: 130}, Size: 4096, Day: 20000, Saved: 20001}
	var dek seal.DEK
	f.Add(appendPaged([]byte{pageVersion}, &m, &dek, []byte("envelope data")))
	f.Add([]byte{pageVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		const number = 2
		items, err := parsePage(seal.Owner{}, Inbox, number, b)
		if err != nil {
			return
		}
		again := []byte{pageVersion}
		for i := range items {
			if PageOf(items[i].UID) != number {
				t.Fatalf("message %d is not of page %d", items[i].UID, number)
			}
			again = appendPaged(again, &items[i].row, &items[i].sealed.DEK, items[i].data)
		}
		second, err := parsePage(seal.Owner{}, Inbox, number, again)
		if err != nil || len(second) != len(items) {
			t.Fatalf("written again it parses to %d messages, error %v, want %d", len(second), err, len(items))
		}
		if len(again) == len(b) && !bytes.Equal(again, b) {
			t.Fatal("written again it is something else")
		}
	})
}

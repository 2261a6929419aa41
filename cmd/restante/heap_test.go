package main

import "testing"

// TestGrowthOf: a small heap may grow to roomyHeap, a large one to its double.
func TestGrowthOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, mostGrowth},
		{1 << 20, mostGrowth},
		{24 << 20, 300},
		{roomyHeap/2 - 1, 100},
		{roomyHeap / 2, usualGrowth},
		{1 << 40, usualGrowth},
	} {
		if got := growthOf(c.live); got != c.want {
			t.Errorf("with %d bytes in use: got %d %%, want %d %%", c.live, got, c.want)
		}
	}
}

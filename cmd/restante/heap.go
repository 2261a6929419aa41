package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// roomyHeap is how large the heap of a relay may always grow before the collector
	// runs. By the runtime's own rule a relay with little to remember, and that is most
	// of them, would be collected every few dozen mails.
	roomyHeap = 96 << 20

	usualGrowth = 100 // percent
	mostGrowth  = 1000
)

// giveHeapRoom has the collector run when the heap is twice what was in use at its
// last run, as is usual, but not below roomyHeap. An operator who sets GOGC is obeyed
// instead.
func giveHeapRoom(getenv func(string) string) {
	if getenv("GOGC") == "" {
		roomAfterCollection()
	}
}

// roomAfterCollection sets how far the heap may grow, now and after every run of the
// collector, which finds that nobody needs the mark.
func roomAfterCollection() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(growthOf(live[0].Value.Uint64()))
	runtime.SetFinalizer(new(heapMark), func(*heapMark) { roomAfterCollection() })
}

// heapMark has a pointer, so that it does not share its memory with others.
type heapMark struct{ _ *byte }

// growthOf says by how many percent the heap may grow when that many bytes are in use.
func growthOf(live uint64) int {
	if live >= roomyHeap/2 {
		return usualGrowth
	}
	return int(min(roomyHeap*100/max(live, 1)-100, mostGrowth))
}

package main

import (
	"testing"
	"testing/fstest"
)

func TestPlainSwap(t *testing.T) {
	t.Parallel()
	const heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	crypt := &fstest.MapFile{Data: []byte("CRYPT-PLAIN-swap\n")}
	lvm := &fstest.MapFile{Data: []byte("LVM-abc\n")}
	for _, tt := range []struct {
		name, swaps string
		want        bool
	}{
		{"none", heading, false},
		{"a partition", heading + "/dev/sda2 partition 1 0 -2\n", true},
		{"a file", heading + "/swapfile file 1 0 -2\n", true},
		{"compressed memory", heading + "/dev/zram0 partition 1 0 100\n", false},
		{"encrypted", heading + "/dev/dm-0 partition 1 0 -2\n", false},
		{"a logical volume", heading + "/dev/dm-1 partition 1 0 -2\n", true},
		{"encrypted, and another", heading + "/dev/dm-0 partition 1 0 -2\n/dev/sda2 partition 1 0 -3\n", true},
	} {
		root := fstest.MapFS{
			"proc/swaps": {Data: []byte(tt.swaps)}, "sys/class/block/dm-0/dm/uuid": crypt, "sys/class/block/dm-1/dm/uuid": lvm,
		}
		if got := plainSwap(root); got != tt.want {
			t.Errorf("%s: plain swap %v, want %v", tt.name, got, tt.want)
		}
	}
	if plainSwap(fstest.MapFS{}) {
		t.Error("a system without swap has plain swap")
	}
}

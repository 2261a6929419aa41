//go:build faults && linux

package faults

import (
	"fmt"
	"testing"

	"github.com/restante/restante/mailbox/sqlstore"
)

const (
	diskSize = 1 << 30 // the image has holes
	rounds   = 3
	perRound = 600 // messages acknowledged before the strike
)

// TestPowerCut: what was acknowledged, and what a client was told, outlasts power
// cuts.
func TestPowerCut(t *testing.T) {
	d := newDisk(t, diskSize)
	told := newDiary()
	for round := range rounds {
		c := child{Dir: d.dir, Name: fmt.Sprint("power", round)}
		c.run(t, told, perRound, func() { d.cutPower(t) })
		d.unmount(t)
		d.mount(t)
		f := inspect(t, storeOptions(d.dir), told)
		t.Log(f)
		if !f.nothing() {
			t.Errorf("round %d: %v", round, f)
		}
	}
}

// TestPowerCutControls: stores that don't wait for the disk are found out.
func TestPowerCutControls(t *testing.T) {
	for _, c := range []struct {
		name  string
		how   sqlstore.TestOnlyCareless
		found func(findings) bool
	}{
		{"synchronous off", sqlstore.TestOnlyCareless{Synchronous: "OFF"}, func(f findings) bool {
			return f.lost > 0 || f.damage != nil // SQLite may find its file destroyed
		}},
		{"body files not synced", sqlstore.TestOnlyCareless{LooseFiles: true}, func(f findings) bool {
			return f.broken > 0 && f.lost == 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(t, diskSize)
			told := newDiary()
			(&child{Dir: d.dir, Name: "control", Careless: c.how}).run(t, told, perRound, func() { d.cutPower(t) })
			d.unmount(t)
			d.mount(t)
			f := inspect(t, storeOptions(d.dir), told)
			t.Log(f)
			if !c.found(f) {
				t.Errorf("nothing is missing although nothing waited for the disk: this test can't find a loss (%v)", f)
			}
		})
	}
}

// TestKill: what was acknowledged outlasts the end of the process, and a message
// whose sender never heard of it is there once after the next try.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := newDiary()
	for round := range rounds {
		(&child{Dir: dir, Name: fmt.Sprint("kill", round)}).run(t, told, perRound, func() {})
		f := inspect(t, storeOptions(dir), told)
		t.Log(f)
		if !f.nothing() {
			t.Errorf("round %d: %v", round, f)
		}
	}
}

// TestKillControl: a relay that acknowledges before it stores is found out.
func TestKillControl(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := newDiary()
	(&child{Dir: dir, Name: "control", Hasty: true}).run(t, told, perRound, func() {})
	f := inspect(t, storeOptions(dir), told)
	t.Log(f)
	if f.lost == 0 {
		t.Errorf("nothing is missing although all was acknowledged before it was stored: this test can't find a loss (%v)", f)
	}
}

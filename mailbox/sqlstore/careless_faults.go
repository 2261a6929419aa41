//go:build faults

package sqlstore

// TestOnlyCareless is what a store does wrong on purpose, for the controls of
// test/faults.
type TestOnlyCareless struct {
	Synchronous string // another value of SQLite's pragma than FULL
	LooseFiles  bool   // body files are not synced
	SweepAll    bool   // the sweep takes bodies for left over that are on their way in
}

// TestOnlyCareless returns options of a store that does wrong.
func (o Options) TestOnlyCareless(c TestOnlyCareless) Options {
	o.careless = careless{synchronous: c.Synchronous, looseFiles: c.LooseFiles, sweepAll: c.SweepAll}
	return o
}

package sqlstore

// careless is what a store does wrong on purpose. Only the controls of the fault
// tests set it: a test that a careless store passes as well would prove nothing.
type careless struct {
	synchronous string // another value of SQLite's pragma than FULL
	looseFiles  bool   // body files are not synced
	sweepAll    bool   // the sweep takes bodies for left over that are on their way in
}

// pragmas returns those of the writer, with what careless changes after them.
func (c careless) pragmas() []string {
	if c.synchronous == "" {
		return writerPragmas
	}
	return append(writerPragmas[:len(writerPragmas):len(writerPragmas)], "PRAGMA synchronous = "+c.synchronous)
}

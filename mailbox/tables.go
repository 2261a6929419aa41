package mailbox

import (
	"sync"
	"time"
)

// tables are the tables of one account's mailboxes: those that are open, and those
// that were until a moment ago, so that CLOSE and SELECT again cost nothing.
type tables struct {
	mu   sync.Mutex
	byID map[tableKey]*Table
}

// tableKey names a table: a device that has a view of its own has tables of its own.
type tableKey struct {
	mbox   MailboxID
	device CredentialID // 0 for all others
}

// take returns the table of a mailbox, empty if it is new.
func (ts *tables) take(own *owner, id tableKey) *Table {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byID[id]
	switch {
	case t == nil:
		t = &Table{own: own, id: id.mbox, device: id.device, turn: make(chan struct{}, 1)}
		if ts.byID == nil {
			ts.byID = map[tableKey]*Table{}
		}
		ts.byID[id] = t
	case t.users == 0:
		own.svc.idleTables.Add(-1)
	}
	t.users++
	return t
}

// give takes one user from a table, and keeps the table for a while if there is
// room for one more that nobody uses.
func (ts *tables) give(t *Table) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.users--
	if t.users > 0 || ts.byID[t.key()] != t {
		return
	}
	t.idleSince = t.own.svc.now()
	if t.own.svc.idleTables.Add(1) > int64(t.own.svc.o.Limits.IdleTables) {
		ts.dropLocked(t)
	}
}

// sweep drops the tables that nobody has used since then.
func (ts *tables) sweep(since time.Time) {
	ts.dropWhere(func(t *Table) bool { return !t.idleSince.After(since) })
}

// clear drops all tables. Those in use stay with their users, who share them with
// nobody new.
func (ts *tables) clear() {
	ts.dropWhere(func(*Table) bool { return true })
	ts.mu.Lock()
	defer ts.mu.Unlock()
	clear(ts.byID)
}

func (ts *tables) dropWhere(unwanted func(*Table) bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.byID {
		if t.users == 0 && unwanted(t) {
			ts.dropLocked(t)
		}
	}
}

// forget has the next user begin with a table of its own. Those who have this one
// keep it.
func (ts *tables) forget(t *Table) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID[t.key()] == t {
		delete(ts.byID, t.key())
	}
}

// dropLocked drops a table without users.
func (ts *tables) dropLocked(t *Table) {
	delete(ts.byID, t.key())
	t.own.svc.idleTables.Add(-1)
}

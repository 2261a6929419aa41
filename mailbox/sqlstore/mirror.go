package sqlstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/restante/restante/mailbox"
)

// MirrorOptions says how Mirror works.
type MirrorOptions struct {
	// Full has every account compared, also one that says it has not changed, and
	// in the end every row and byte. Otherwise rows are counted.
	Full bool

	// Progress, if not nil, is called after each account.
	Progress func(Progress)
}

// Progress is how far a copy has come.
type Progress struct {
	Accounts, Of int    // accounts looked at
	Rows         int64  // rows and large bodies written or deleted
	Bytes        int64  // of large bodies
	Holds        Digest // in the end, what both hold
}

// Mirror makes to the same as from, whichever engines the two have, and writes only
// what differs. It reads one snapshot, so that to is as from was at one moment, and
// from may be in use meanwhile. to must not be: it was opened with CopyOf, and is
// Arriving until Mirror has returned nil and SetPlace has been called.
//
// In the end both are compared; a difference is ErrCorrupt.
//
// If Mirror fails it can be called again, and goes on where it was.
func Mirror(ctx context.Context, from, to *Store, o MirrorOptions) (Progress, error) {
	if from.id != to.id {
		return Progress{}, fmt.Errorf("copy store: %w: it holds another store", ErrPlace)
	}
	tables, err := readTables(ctx)
	if err != nil {
		return Progress{}, fmt.Errorf("copy store: %w", err)
	}
	release := from.files.hold()
	defer release()
	m := &mirror{ctx: ctx, from: from, to: to, o: o, tables: tables}
	err = from.read(ctx, "copy store", func(q querier) error {
		if err := from.large.hold(q); err != nil {
			return err
		}
		m.source = q
		return m.run()
	})
	return m.done, err
}

// mirror is one run of Mirror.
type mirror struct {
	ctx      context.Context
	from, to *Store
	source   querier // the snapshot
	o        MirrorOptions
	tables   []*table
	done     Progress
}

// run copies the tables of the accounts, between the two halves of the others: what
// is to go there may refer to accounts that go, and what is to come to new ones.
func (m *mirror) run() error {
	if err := m.to.SetPlace(m.ctx, Arriving); err != nil {
		return err
	}
	if err := m.to.dropEveryPage(m.ctx); err != nil {
		return err
	}
	later := map[*table][]row{}
	for _, t := range m.tables {
		if t.perAccount() || t.name == "meta" {
			continue
		}
		d, err := m.compare(t, nil)
		if err != nil {
			return err
		}
		if err := m.drop(t, d.drop); err != nil {
			return err
		}
		later[t] = d.add
	}
	if err := m.accounts(); err != nil {
		return err
	}
	for _, t := range m.tables {
		if err := m.add(t, later[t]); err != nil {
			return err
		}
	}
	if err := m.calendar(); err != nil {
		return err
	}
	return m.verify()
}

// verify compares what both hold.
func (m *mirror) verify() error {
	digest := func(_ *Store, q querier) (Digest, error) { return countAll(q, m.tables) }
	if m.o.Full {
		digest = func(s *Store, q querier) (Digest, error) { return s.digestAll(q, m.tables) }
	}
	want, err := digest(m.from, m.source)
	if err != nil {
		return err
	}
	return m.to.read(m.ctx, "verify copy", func(q querier) error {
		if m.done.Holds, err = digest(m.to, q); err != nil {
			return err
		}
		return m.done.Holds.Differs(want)
	})
}

// calendar copies what of meta is neither the store's identity nor about this copy.
func (m *mirror) calendar() error {
	var day mailbox.Day
	if _, err := m.source.one(queryCalendar, []any{num(&day)}); err != nil {
		return err
	}
	return m.to.SetCalendar(m.ctx, day)
}

// difference is what must be deleted and then added to make two tables the same. A
// row that changed is in both.
type difference struct {
	drop []row // keys
	add  []row // keys
}

// sum stands for a row's values.
type sum [16]byte

func (t *table) sum(r row) sum {
	if t.constant() {
		return sum{}
	}
	h := sha256.Sum256(r.encode())
	return sum(h[:16])
}

type known struct {
	key row
	sum sum
}

// compare compares a table, or an account's part of it.
func (m *mirror) compare(t *table, account *mailbox.AccountID) (d difference, err error) {
	keyOnly := t.constant()
	query, args := t.selectAll(keyOnly, account != nil), []any(nil)
	if account != nil {
		args = []any{int64(*account)}
	}
	have := map[string]known{}
	err = m.to.readOne(m.ctx, "compare", func(q querier) error {
		return t.each(q, query, keyOnly, func(r row) error {
			key := t.part(r, keyOnly)
			have[string(key.encode())] = known{key, t.sum(r)}
			return nil
		}, args...)
	})
	if err != nil {
		return d, err
	}
	err = t.each(m.source, query, keyOnly, func(r row) error {
		key := t.part(r, keyOnly)
		code := string(key.encode())
		old, found := have[code]
		if found && old.sum == t.sum(r) {
			delete(have, code)
			return nil
		}
		d.add = append(d.add, key)
		return nil
	}, args...)
	for _, k := range have {
		d.drop = append(d.drop, k.key)
	}
	return d, err
}

// part returns the key of what was read.
func (t *table) part(r row, keyOnly bool) row {
	if keyOnly {
		return r
	}
	return t.keyOf(r)
}

const (
	// mirrorRows and mirrorBytes bound what one transaction of a copy writes.
	mirrorRows  = 500
	mirrorBytes = 2 << 20
)

// drop deletes rows by their keys.
func (m *mirror) drop(t *table, keys []row) error {
	for some := range slices.Chunk(keys, mirrorRows) {
		err := m.to.write(m.ctx, "copy store", func(x *tx) error {
			for _, key := range some {
				if err := m.dropOne(x, t, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		m.done.Rows += int64(len(some))
	}
	return nil
}

func (m *mirror) dropOne(x *tx, t *table, key row) error {
	if _, err := x.exec(t.delete(), key...); err != nil || t.name != "body_file" {
		return err
	}
	id, blob, err := bodyKey(t, key)
	if err != nil {
		return err
	}
	return m.to.large.drop(x, id, blob)
}

// add adds the source's rows of the keys.
func (m *mirror) add(t *table, keys []row) error {
	if t.name == "body_file" {
		return m.addLarge(t, keys)
	}
	for len(keys) > 0 {
		rows, n, err := m.load(t, keys)
		if err != nil {
			return err
		}
		err = m.to.write(m.ctx, "copy store", func(x *tx) error {
			for _, r := range rows {
				if _, err := x.exec(t.insert(), r...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		m.done.Rows += int64(n)
		keys = keys[n:]
	}
	return nil
}

// load reads the rows of as many keys as one transaction should write.
func (m *mirror) load(t *table, keys []row) (rows []row, n int, err error) {
	size := 0
	for n < len(keys) && n < mirrorRows && size < mirrorBytes {
		err := t.each(m.source, t.selectOne(), false, func(r row) error {
			rows = append(rows, r)
			size += r.size()
			return nil
		}, keys[n]...)
		if err != nil {
			return nil, 0, err
		}
		n++
	}
	return rows, n, nil
}

// size is about what a row takes.
func (r row) size() int {
	n := 0
	for _, v := range r {
		if b, ok := v.([]byte); ok {
			n += len(b)
		}
		n += 8
	}
	return n
}

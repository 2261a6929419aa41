package sqlstore

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// accountState is what tells whether an account has to be looked into.
type accountState struct {
	sum    sum
	change int64
}

// accounts copies what belongs to accounts, one account after the other, the queue's
// bodies first.
func (m *mirror) accounts() error {
	t := m.table("account")
	var had, has map[mailbox.AccountID]accountState
	err := m.to.readOne(m.ctx, "compare", func(q querier) (err error) {
		had, err = accountStates(q, t)
		return err
	})
	if err != nil {
		return err
	}
	if has, err = accountStates(m.source, t); err != nil {
		return err
	}
	ids := map[mailbox.AccountID]bool{mailbox.QueueAccount: true}
	for id := range had {
		ids[id] = true
	}
	for id := range has {
		ids[id] = true
	}
	m.done.Of = len(ids)
	for _, id := range slices.SortedFunc(maps.Keys(ids), cmp.Compare) {
		if err := m.account(t, id, had, has); err != nil {
			return err
		}
		m.done.Accounts++
		if m.o.Progress != nil {
			m.o.Progress(m.done)
		}
	}
	return nil
}

func (m *mirror) table(name string) *table {
	i := slices.IndexFunc(m.tables, func(t *table) bool { return t.name == name })
	return m.tables[i]
}

func accountStates(q querier, t *table) (map[mailbox.AccountID]accountState, error) {
	all := map[mailbox.AccountID]accountState{}
	err := t.each(q, t.selectAll(false, false), false, func(r row) error {
		id, ok := t.at(r, "account_id").(int64)
		change, fine := t.at(r, "change").(int64)
		if !ok || !fine {
			return damaged("an account's row holds no numbers")
		}
		all[mailbox.AccountID(id)] = accountState{t.sum(r), change}
		return nil
	})
	return all, err
}

// account copies one account. Its row is written first, since others refer to it,
// but with no change counted, and as it is only when all the others are there: a
// copy that is begun again finds what was not finished.
func (m *mirror) account(t *table, id mailbox.AccountID, had, has map[mailbox.AccountID]accountState) error {
	before, was := had[id]
	now, is := has[id]
	if was && is && before == now && !m.o.Full {
		return nil
	}
	if is && !was {
		if err := m.writeAccount(t, id, t.insert(), false); err != nil {
			return err
		}
	}
	if !was || !is || before.change != now.change || m.o.Full {
		if err := m.parts(id); err != nil {
			return err
		}
	}
	switch {
	case is:
		return m.writeAccount(t, id, t.update(), true)
	case was:
		return m.drop(t, []row{{int64(id)}})
	}
	return nil
}

// writeAccount writes an account's row, with its change if it is finished.
func (m *mirror) writeAccount(t *table, id mailbox.AccountID, statement string, finished bool) error {
	rows, _, err := m.load(t, []row{{int64(id)}})
	if err != nil {
		return err
	}
	return m.to.write(m.ctx, "copy store", func(x *tx) error {
		for _, r := range rows {
			args := slices.Clone(r)
			if finished {
				args = append(args, t.keyOf(r)...)
			} else {
				args[slices.Index(t.columns, "change")] = int64(0)
			}
			if _, err := x.exec(statement, args...); err != nil {
				return err
			}
		}
		return nil
	}, id)
}

// parts copies what an account owns.
func (m *mirror) parts(id mailbox.AccountID) error {
	message, err := m.compare(m.table("message"), &id)
	if err != nil {
		return err
	}
	for _, t := range m.tables {
		if !t.perAccount() || t.name == "account" || t.name == "message" {
			continue
		}
		d, err := m.compare(t, &id)
		if err != nil {
			return err
		}
		if t.name == "sealed" {
			d.join(message)
		}
		if err := errors.Join(m.drop(t, d.drop), m.add(t, d.add)); err != nil {
			return err
		}
	}
	t := m.table("message")
	return errors.Join(m.drop(t, message.drop), m.add(t, message.add))
}

// join takes in the rows that changed in another table of the same key.
func (d *difference) join(other difference) {
	d.drop, d.add = union(d.drop, other.drop), union(d.add, other.add)
}

func union(a, b []row) []row {
	have := map[string]bool{}
	for _, key := range a {
		have[string(key.encode())] = true
	}
	for _, key := range b {
		if !have[string(key.encode())] {
			a = append(a, key)
		}
	}
	return a
}

// addLarge copies large bodies: each is durable before the row that names it.
func (m *mirror) addLarge(t *table, keys []row) error {
	for _, key := range keys {
		if err := m.addLargeOne(t, key); err != nil {
			return err
		}
	}
	return nil
}

func (m *mirror) addLargeOne(t *table, key row) error {
	id, blob, err := bodyKey(t, key)
	if err != nil {
		return err
	}
	size, err := m.source.bodyFile(id, blob)
	if err != nil {
		return err
	}
	w, err := m.to.CreateBody(m.ctx, id, blob, size)
	if err != nil {
		return err
	}
	b := w.(*body)
	err = m.from.large.copy(m.source, id, blob, size, b)
	if err == nil {
		err = b.Commit()
	}
	if err == nil {
		err = m.to.write(m.ctx, "copy store", func(x *tx) error { return x.addBody(b) }, id)
	}
	if err != nil && !errors.Is(err, mailbox.ErrUnknown) {
		b.remove()
		return err
	}
	b.arrived()
	if err != nil {
		return err
	}
	m.done.Rows++
	m.done.Bytes += size
	return nil
}

// bodyKey reads the key of a body's row.
func bodyKey(t *table, key row) (mailbox.AccountID, seal.BlobID, error) {
	id, ok := key[0].(int64)
	var blob seal.BlobID
	if err := (blobColumn{&blob}).Scan(key[1]); err != nil || !ok {
		return 0, blob, damaged("a row of %s names no body", t.name)
	}
	return mailbox.AccountID(id), blob, nil
}

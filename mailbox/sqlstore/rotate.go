package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

// Rotate implements mailbox.Store.
func (s *Store) Rotate(ctx context.Context, id mailbox.AccountID, key *mailbox.KeyChange, reseal func(*mailbox.Belongings) error) error {
	return s.submit(ctx, &job{
		op:       "replace keys",
		accounts: []mailbox.AccountID{id},
		patient:  true, // reseal uses the caller's keys, which may go when Rotate returns
		run: func(t *tx) error {
			if err := t.touch(id); err != nil {
				return err
			}
			b, err := t.belongings(id)
			if err != nil {
				return err
			}
			if err := reseal(b); err != nil {
				return err
			}
			if err := t.replaceKey(id, key); err != nil {
				return err
			}
			return t.rewrite(id, b)
		},
	})
}

const (
	queryMailboxNames = `SELECT mailbox_id, name_mac, name_ct FROM mailbox WHERE account_id = $1 ORDER BY mailbox_id`
	queryAllMetadata  = `SELECT mailbox_id, name_mac, entry_ct FROM metadata WHERE account_id = $1 ORDER BY mailbox_id, name_mac`
	queryFormer       = `SELECT generation, key_ct FROM former_key WHERE account_id = $1 ORDER BY generation`
)

// belongings reads all that Rotate seals anew.
func (q querier) belongings(id mailbox.AccountID) (*mailbox.Belongings, error) {
	b := &mailbox.Belongings{}
	var (
		mbox  mailbox.Rename
		sub   mailbox.SealedName
		entry mailbox.PlacedAnnotation
		block mailbox.Blocked
		err   error
	)
	if b.Credentials, err = q.credentials(id); err != nil {
		return nil, err
	}
	if b.Keywords, err = q.keywords(id); err != nil {
		return nil, err
	}
	if b.Former, err = q.formerKeys(id); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		query string
		dest  []any
		add   func()
	}{
		{queryMailboxNames, []any{num(&mbox.ID), &mbox.Name.MAC, &mbox.Name.Sealed}, func() { b.Mailboxes = append(b.Mailboxes, mbox) }},
		{querySubscriptions, []any{&sub.MAC, &sub.Sealed}, func() { b.Subscriptions = append(b.Subscriptions, sub) }},
		{queryAllMetadata, []any{num(&entry.Mailbox), &entry.MAC, &entry.Sealed}, func() { b.Entries = append(b.Entries, entry) }},
		{queryBlockedBy, []any{macOf(&block.MAC), &block.Sealed}, func() { b.Blocked = append(b.Blocked, block) }},
	} {
		err := q.each(list.query, list.dest, func() error { list.add(); return nil }, int64(id))
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

const (
	queryRewriteCredential = `UPDATE credential SET wrapped = $1, label_ct = $2
		WHERE account_id = $3 AND credential_id = $4`
	queryRewriteBlocked  = `UPDATE blocked SET sender_ct = $1 WHERE account_id = $2 AND sender_mac = $3`
	queryNoPages         = `DELETE FROM page WHERE account_id = $1`
	queryNoSubscriptions = `DELETE FROM subscription WHERE account_id = $1`
	queryNoKeywords      = `DELETE FROM keyword WHERE account_id = $1`
	queryNoEntries       = `DELETE FROM metadata WHERE account_id = $1`
	queryNoFormer        = `DELETE FROM former_key WHERE account_id = $1`
	queryAddFormer       = `INSERT INTO former_key (account_id, generation, key_ct) VALUES ($1, $2, $3)`
	queryRequestRotation = `UPDATE account_key SET due = $1 WHERE account_id = $2`
	queryDropFormer      = `DELETE FROM former_key WHERE account_id = $1 AND generation > 0 AND NOT EXISTS (SELECT 1 FROM message
		WHERE message.account_id = former_key.account_id AND message.generation = former_key.generation)`
	queryCountFormer = `SELECT count(*) FROM former_key WHERE account_id = $1 AND generation > 0`
)

// rewrite writes what Rotate has sealed anew.
func (t *tx) rewrite(id mailbox.AccountID, b *mailbox.Belongings) error {
	var todo statements
	for _, c := range b.Credentials {
		todo.add(queryRewriteCredential, notNull(c.Wrapped), notNull(c.Label), int64(id), int64(c.ID))
		todo.add(querySetPublic, int64(id), int64(c.ID), notNull(c.Public))
	}
	for _, m := range b.Mailboxes {
		todo.add(queryRename, notNull(m.Name.MAC), notNull(m.Name.Sealed), int64(id), int64(m.ID))
	}
	todo.add(queryNoPages, int64(id))
	todo.add(queryNoSubscriptions, int64(id))
	for _, n := range b.Subscriptions {
		todo.add(querySubscribe, int64(id), notNull(n.MAC), notNull(n.Sealed))
	}
	todo.add(queryNoKeywords, int64(id))
	for _, k := range b.Keywords {
		todo.add(querySetKeyword, int64(id), int64(k.N), notNull(k.Name.MAC), notNull(k.Name.Sealed))
	}
	todo.add(queryNoEntries, int64(id))
	for _, e := range b.Entries {
		todo.add(querySetMetadata, int64(id), int64(e.Mailbox), notNull(e.MAC), notNull(e.Sealed))
	}
	for _, s := range b.Blocked {
		todo.add(queryRewriteBlocked, notNull(s.Sealed), int64(id), s.MAC[:])
	}
	for _, f := range b.Former {
		todo.add(queryAddFormer, int64(id), int64(f.Generation), notNull(f.Sealed))
	}
	for _, s := range todo {
		if _, err := t.exec(s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// statements are to be run one after the other.
type statements []statement

func (s *statements) add(query string, args ...any) { *s = append(*s, statement{query, args}) }

// RequestRotation implements mailbox.Store.
func (s *Store) RequestRotation(ctx context.Context, id mailbox.AccountID, due bool) error {
	return s.write(ctx, "request new keys", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		n := int64(0)
		if due {
			n = 1
		}
		_, err := t.exec(queryRequestRotation, n, int64(id))
		return err
	}, id)
}

// FormerKeys implements mailbox.Store.
func (s *Store) FormerKeys(ctx context.Context, id mailbox.AccountID) ([]mailbox.FormerKey, error) {
	var list []mailbox.FormerKey
	err := s.readOne(ctx, "list former keys", func(q querier) (err error) {
		list, err = q.formerKeys(id)
		return err
	})
	return list, err
}

func (q querier) formerKeys(id mailbox.AccountID) ([]mailbox.FormerKey, error) {
	var list []mailbox.FormerKey
	var f mailbox.FormerKey
	err := q.each(queryFormer, []any{num(&f.Generation), &f.Sealed}, func() error {
		list = append(list, f)
		return nil
	}, int64(id))
	return list, err
}

// DropFormerKeys implements mailbox.Store.
func (s *Store) DropFormerKeys(ctx context.Context, id mailbox.AccountID) (int, error) {
	left := 0
	err := s.write(ctx, "drop former keys", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		if _, err := t.exec(queryDropFormer, int64(id)); err != nil {
			return err
		}
		_, err := t.one(queryCountFormer, []any{num(&left)}, int64(id))
		return err
	}, id)
	if err != nil {
		return 0, err // nobody may wait any more, while the transaction still counts
	}
	return left, nil
}

const queryGeneration = `SELECT generation FROM account_key WHERE account_id = $1`

// touchSealed notes a change of an account, as touch does, by something that is sealed
// to its key of a generation.
func (t *tx) touchSealed(id mailbox.AccountID, generation uint32) error {
	if err := t.touch(id); err != nil {
		return err
	}
	return t.sealedNow(id, generation)
}

// sealedNow makes sure that a generation is that of the account's present key: another
// node may have given it a new one a moment ago. 0 is not compared. The account is
// touched already.
func (t *tx) sealedNow(id mailbox.AccountID, generation uint32) error {
	if generation == 0 {
		return nil
	}
	var present uint32
	if _, err := t.one(queryGeneration, []any{num(&present)}, int64(id)); err != nil {
		return err
	}
	if present != generation {
		return mailbox.ErrGone
	}
	return nil
}

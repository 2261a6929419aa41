package sqlstore

import (
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/restante/restante/mailbox"
)

// On a server each statement costs a way there and back, during which the writer and
// all who wait for it do nothing. Most statements of a delivery return nothing that
// is needed. They are kept back and go to the server together, those of many
// deliveries at once, before the first statement that might need them and before the
// commit. In SQLite they run at once.

// statement is one of those.
type statement struct {
	query string
	args  []any
}

// later runs a statement, now or before anything that might depend on it. Its error
// may be that of another call.
func (t *tx) later(query string, args ...any) error {
	if t.on.dialect.send == nil {
		_, err := t.exec(query, args...)
		return err
	}
	if t.limit.Err() != nil {
		return errTooLong
	}
	t.wrote = true
	t.pending = append(t.pending, statement{query, args})
	return nil
}

// rememberLater is later for the statement that remembers a delivery.
func (t *tx) rememberLater(d *mailbox.Delivery, query string, args ...any) error {
	if t.ids == nil {
		t.ids = map[string]bool{}
	}
	t.ids[deliveryKey(d)] = true
	return t.later(query, args...)
}

func deliveryKey(d *mailbox.Delivery) string {
	return strconv.FormatInt(int64(d.Account), 36) + " " + string(d.DeliveryID)
}

// before runs f while what waits goes on waiting. f touches no row of it: of a
// delivery, it may count for account and mailbox, and look for other deliveries.
func (t *tx) before(f func() error) error {
	t.ahead = true
	defer func() { t.ahead = false }()
	return f()
}

// catchUp sends what waits, unless the statement that comes next does not need it.
func (t *tx) catchUp() error {
	if t.ahead {
		return nil
	}
	return t.flush()
}

// flush sends what waits.
func (t *tx) flush() error {
	if len(t.pending) == 0 {
		return nil
	}
	all := t.pending
	t.pending, t.ids = nil, nil
	return t.on.dialect.send(t.querier, all)
}

// one is querier.one, after what waits.
func (t *tx) one(query string, dest []any, args ...any) (bool, error) {
	if err := t.catchUp(); err != nil {
		return false, err
	}
	return t.querier.one(query, dest, args...)
}

// each is querier.each, after what waits.
func (t *tx) each(query string, dest []any, f func() error, args ...any) error {
	if err := t.catchUp(); err != nil {
		return err
	}
	return t.querier.each(query, dest, f, args...)
}

// sendAll sends statements to a server without waiting for the answer to each.
func sendAll(q querier, all []statement) error {
	var batch pgx.Batch
	for _, s := range all {
		batch.Queue(s.query, s.args...)
	}
	err := q.on.conn.Raw(func(dc any) error {
		return dc.(*stdlib.Conn).Conn().SendBatch(q.ctx, &batch).Close()
	})
	return classify(err)
}

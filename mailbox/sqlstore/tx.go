package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// tx is the writer's transaction, in the middle of one job.
type tx struct {
	querier
	w     *writer
	limit context.Context // ends when the transaction took too long
	job   *job
	wrote bool // the job has changed something

	// Statements that wait for the next one that needs them (later.go).
	pending []statement
	ids     map[string]bool // deliveries that are remembered by one of them
	ahead   bool            // what runs does not need them
}

// newTx makes a transaction that lasts until limit. The statements themselves
// run under a context that never ends: each touches a few rows, and the driver
// starts a goroutine for each statement that could be cancelled.
func newTx(limit context.Context, w *writer) *tx {
	return &tx{querier: querier{context.WithoutCancel(limit), w.on}, w: w, limit: limit}
}

// exec runs a statement unless the transaction has taken too long.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if t.limit.Err() != nil {
		return 0, errTooLong
	}
	if err := t.catchUp(); err != nil {
		return 0, err
	}
	n, err := t.querier.exec(query, args...)
	t.wrote = t.wrote || n > 0
	return n, err
}

// update runs an UPDATE of one row and scans what it returns. It reports whether
// there was such a row.
func (t *tx) update(query string, dest []any, args ...any) (bool, error) {
	if t.limit.Err() != nil {
		return false, errTooLong
	}
	found, err := t.one(query, dest, args...)
	t.wrote = t.wrote || found
	return found, err
}

func (t *tx) begin() error {
	_, err := t.querier.exec(t.on.dialect.begin)
	return err
}

func (t *tx) save() error {
	_, err := t.querier.exec("SAVEPOINT request")
	return err
}

func (t *tx) keep() error {
	_, err := t.querier.exec("RELEASE request")
	return err
}

func (t *tx) undo() error {
	t.pending, t.ids = nil, nil // of this request alone: the others' were sent
	if _, err := t.querier.exec("ROLLBACK TO request"); err != nil {
		return err
	}
	return t.keep()
}

// rollback ends a transaction that failed. SQLite may have ended it already.
func (t *tx) rollback() {
	t.pending, t.ids = nil, nil
	t.querier.exec("ROLLBACK")
}

// commit returns ErrUnknown if it can't be told whether the transaction is
// durable: what was written of it may be taken for whole after a crash. With a
// full disk it is known that its last page is missing.
func (t *tx) commit() error {
	_, err := t.querier.exec("COMMIT")
	if err == nil {
		return nil
	}
	t.rollback()
	if errors.Is(err, mailbox.ErrFull) || errors.Is(err, mailbox.ErrBusy) {
		return err
	}
	return fmt.Errorf("%w: %w", mailbox.ErrUnknown, err)
}

const queryTouch = `UPDATE account SET change = change + 1 WHERE account_id = $1`

// touch notes a change of an account, or returns ErrNoAccount.
func (t *tx) touch(id mailbox.AccountID) error {
	n, err := t.exec(queryTouch, int64(id))
	if err != nil {
		return err
	}
	if n == 0 {
		return mailbox.ErrNoAccount
	}
	t.hint(id)
	return nil
}

// hint has watchers told of the account after the commit. A job that did not say
// which accounts it changes has not locked them against other nodes.
func (t *tx) hint(id mailbox.AccountID) {
	if !slices.Contains(t.job.accounts, id) {
		panic("restante: internal error: the request changes an account that it did not name")
	}
	t.job.touched = append(t.job.touched, id)
}

// removeFile has a body file removed after the commit.
func (t *tx) removeFile(blob seal.BlobID) {
	t.job.removed = append(t.job.removed, blob)
}

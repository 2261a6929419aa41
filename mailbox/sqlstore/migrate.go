package sqlstore

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/restante/restante/mailbox/seal"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// migrations lead from an empty database to the newest schema. A released one
// is never edited; a change is appended.
var migrations = []string{
	mustSchema("0001_init.sqlite.sql"),
}

func mustSchema(name string) string {
	b, err := schemaFiles.ReadFile("schema/" + name)
	if err != nil {
		panic("restante: internal error: " + err.Error())
	}
	return string(b)
}

const (
	queryVersion   = `SELECT schema FROM meta`
	queryNewMeta   = `INSERT INTO meta (one, schema, store_id, key_check) VALUES (1, $1, $2, $3)`
	querySetSchema = `UPDATE meta SET schema = $1`
	queryMeta      = `SELECT store_id, key_check FROM meta`
	querySetCheck  = `UPDATE meta SET key_check = $1`
)

// migrate brings the database to the newest schema, in one transaction.
func migrate(ctx context.Context, c *sql.Conn, steps []string) error {
	have, err := schemaVersion(ctx, c)
	if err != nil {
		return err
	}
	if have > len(steps) {
		return fmt.Errorf("%w: its schema is version %d, this program knows version %d; install the program that wrote it, or a later one",
			ErrNewer, have, len(steps))
	}
	if have == len(steps) {
		return nil
	}
	if _, err := c.ExecContext(ctx, sqlBegin); err != nil {
		return err
	}
	if err := runSteps(ctx, c, have, steps); err != nil {
		_, undo := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	_, err = c.ExecContext(ctx, "COMMIT")
	return err
}

// schemaVersion is 0 for an empty database.
func schemaVersion(ctx context.Context, c *sql.Conn) (int, error) {
	var tables, meta int
	if err := c.QueryRowContext(ctx, queryTables).Scan(&tables, &meta); err != nil || tables == 0 {
		return 0, classify(err)
	}
	if meta == 0 {
		return 0, errors.New("the file is a database, but no store")
	}
	var v int
	err := c.QueryRowContext(ctx, queryVersion).Scan(&v)
	return v, classify(err)
}

func runSteps(ctx context.Context, c *sql.Conn, have int, steps []string) error {
	for i := have; i < len(steps); i++ {
		if _, err := c.ExecContext(ctx, steps[i]); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", i+1, err)
		}
	}
	if have > 0 {
		_, err := c.ExecContext(ctx, querySetSchema, len(steps))
		return err
	}
	id := seal.NewStoreID()
	_, err := c.ExecContext(ctx, queryNewMeta, len(steps), id[:], []byte{})
	return err
}

// identify returns the store's identity, and keeps or compares the key check.
func identify(ctx context.Context, c *sql.Conn, keyCheck func(seal.StoreID) seal.KeyCheck) (seal.StoreID, error) {
	var id, have []byte
	if err := c.QueryRowContext(ctx, queryMeta).Scan(&id, &have); err != nil {
		return seal.StoreID{}, classify(err)
	}
	if len(id) != len(seal.StoreID{}) {
		return seal.StoreID{}, damaged("the store's identity has %d bytes", len(id))
	}
	store := seal.StoreID(id)
	want := keyCheck(store)
	if len(have) == 0 {
		_, err := c.ExecContext(ctx, querySetCheck, want[:])
		return store, classify(err)
	}
	if subtle.ConstantTimeCompare(have, want[:]) != 1 {
		return seal.StoreID{}, fmt.Errorf("%w: give it that key; without it nothing in the store can be served", ErrWrongKey)
	}
	return store, nil
}

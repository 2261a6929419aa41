package sqlstore

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/restante/restante/mailbox/seal"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaSteps returns the migrations of an engine, in order of their numbers: one
// that is added needs no other line than its file.
func schemaSteps(engine string) []string {
	names, err := fs.Glob(schemaFiles, "schema/*."+engine+".sql") // sorted
	var steps []string
	for i, name := range names {
		var b []byte
		if err == nil {
			b, err = schemaFiles.ReadFile(name)
		}
		if !strings.HasPrefix(path.Base(name), fmt.Sprintf("%04d_", i+1)) {
			err = fmt.Errorf("%s is not the migration of number %d", name, i+1)
		}
		steps = append(steps, string(b))
	}
	if err != nil || len(steps) == 0 {
		panic(fmt.Sprintf("restante: internal error: schema: %v", err))
	}
	return steps
}

const (
	queryVersion   = `SELECT schema FROM meta`
	queryNewMeta   = `INSERT INTO meta (one, schema, store_id, key_check) VALUES (1, $1, $2, $3)`
	querySetSchema = `UPDATE meta SET schema = $1`
	queryMeta      = `SELECT store_id, key_check FROM meta`
	querySetCheck  = `UPDATE meta SET key_check = $1 WHERE length(key_check) = 0`
)

// migrate brings the database to the newest schema, in one transaction.
func migrate(ctx context.Context, on *session, steps []string) error {
	have, err := schemaVersion(ctx, on)
	if err != nil || have == len(steps) {
		return err
	}
	if have > len(steps) {
		return newer(ctx, on, have, len(steps))
	}
	if _, err := on.conn.ExecContext(ctx, on.dialect.begin); err != nil {
		return err
	}
	if err := runSteps(ctx, on, steps); err != nil {
		_, undo := on.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	_, err = on.conn.ExecContext(ctx, "COMMIT")
	return err
}

// schemaVersion is 0 for an empty database.
func schemaVersion(ctx context.Context, on *session) (int, error) {
	c := on.conn
	var tables, meta int
	if err := c.QueryRowContext(ctx, on.dialect.tables).Scan(&tables, &meta); err != nil || tables == 0 {
		return 0, classify(err)
	}
	if meta == 0 {
		return 0, errors.New("it is a database, but no store")
	}
	var v int
	err := c.QueryRowContext(ctx, queryVersion).Scan(&v)
	return v, classify(err)
}

// runSteps runs the steps that are missing. Another node may have run them
// meanwhile, so it looks again once none can.
func runSteps(ctx context.Context, on *session, steps []string) error {
	c := on.conn
	if lock := on.dialect.lockSchema; lock != "" {
		if _, err := c.ExecContext(ctx, lock); err != nil {
			return err
		}
	}
	have, err := schemaVersion(ctx, on)
	if err != nil || have >= len(steps) {
		return err
	}
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
	_, err = c.ExecContext(ctx, queryNewMeta, len(steps), id[:], []byte{})
	return err
}

// identify returns the store's identity, and keeps or compares the key check.
func identify(ctx context.Context, c *sql.Conn, keyCheck func(seal.StoreID) seal.KeyCheck) (seal.StoreID, error) {
	store, have, err := readMeta(ctx, c)
	if err != nil {
		return seal.StoreID{}, err
	}
	want := keyCheck(store)
	if len(have) == 0 {
		if _, err := c.ExecContext(ctx, querySetCheck, want[:]); err != nil {
			return seal.StoreID{}, classify(err)
		}
		if _, have, err = readMeta(ctx, c); err != nil { // another node may have been first
			return seal.StoreID{}, err
		}
	}
	if subtle.ConstantTimeCompare(have, want[:]) != 1 {
		return seal.StoreID{}, fmt.Errorf("%w: give it that key; without it nothing in the store can be served", ErrWrongKey)
	}
	return store, nil
}

func readMeta(ctx context.Context, c *sql.Conn) (seal.StoreID, []byte, error) {
	var id, check []byte
	if err := c.QueryRowContext(ctx, queryMeta).Scan(&id, &check); err != nil {
		return seal.StoreID{}, nil, classify(err)
	}
	if len(id) != len(seal.StoreID{}) {
		return seal.StoreID{}, nil, damaged("the store's identity has %d bytes", len(id))
	}
	return seal.StoreID(id), check, nil
}

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/restante/restante/mailbox"
)

const (
	sqliteCopy  = `VACUUM INTO $1`
	sqliteWhole = `PRAGMA quick_check(1)`
)

// copyFile writes what the database holds now to another file, durably, and has
// SQLite look over it. The file must not exist.
func (s *Store) copyFile(ctx context.Context, path string) error {
	db := openSQLite(s.opts.Path, "rw", commonPragmas, 1)
	defer db.Close()
	on, err := newSession(ctx, db, &sqliteDialect)
	if err != nil {
		return err
	}
	defer on.close()
	return querier{ctx, on}.copyFile(path)
}

func (q querier) copyFile(path string) error {
	if _, err := q.on.conn.ExecContext(q.ctx, sqliteCopy, path); err != nil {
		return errors.Join(classify(err), os.Remove(path))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close(), syncDir(filepath.Dir(path))); err != nil {
		return err
	}
	return checkCopy(q.ctx, path)
}

// checkCopy has SQLite look over a file.
func checkCopy(ctx context.Context, path string) error {
	db := openSQLite(path, "ro", nil, 1)
	defer db.Close()
	var found string
	if err := db.QueryRowContext(ctx, sqliteWhole).Scan(&found); err != nil {
		return classify(err)
	}
	if found != "ok" {
		return fmt.Errorf("%w: the copy of the database: %s", mailbox.ErrCorrupt, found)
	}
	return nil
}

// copyTo writes a file's bytes to another one, durably, in place of what has that
// name.
func copyTo(in io.Reader, path string) error {
	out, err := os.OpenFile(path+unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(path+unfinished))
	}
	return errors.Join(os.Rename(path+unfinished, path), syncDir(filepath.Dir(path)))
}

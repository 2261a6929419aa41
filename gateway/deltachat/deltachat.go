// Package deltachat takes the user's secret key out of a backup that Delta Chat has
// written, so that one person reads one mail in Delta Chat and by the gateway.
//
//	secret, err := deltachat.SecretKey(ctx, file)
//	key, err := pgp.ParseKey(secret, nil)
//
// A backup is a tar archive with the database of Delta Chat's core in it, an SQLite
// file, and the files that came with mail. The database is plain unless the backup was
// given a passphrase; then it is encrypted by SQLCipher, and of no use here.
package deltachat

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// The outcomes that callers tell apart.
var (
	// ErrNoBackup: the file is no backup of Delta Chat's.
	ErrNoBackup = errors.New("this is no backup of Delta Chat's, or it is damaged")
	// ErrPassphrase: the backup is encrypted.
	ErrPassphrase = errors.New("the backup has a passphrase: export it without one, or export the keys alone (Settings, Advanced, Manage Keys)")
	// ErrNoKey: Delta Chat had made no key when it wrote the backup.
	ErrNoKey = errors.New("there is no key in the backup: write to somebody with Delta Chat, and export it again")
)

const (
	// databaseName is the database's name in the archive.
	databaseName = "dc_database_backup.sqlite"
	// maxDatabase bounds it: it has years of texts in it, and no files.
	maxDatabase = 16 << 30
	// maxEntries bounds the files that are passed over on the way to it.
	maxEntries = 1 << 20
	// maxKey bounds a key. Delta Chat's own have less than 1 kB.
	maxKey = 1 << 20
	// queryTime bounds what a made-up database can cost.
	queryTime = time.Minute
)

// sqliteMagic is how a database begins that is not encrypted.
var sqliteMagic = []byte("SQLite format 3\x00")

// IsBackup reports whether a file that begins so may be a backup: a tar archive.
func IsBackup(head []byte) bool {
	const at = 257 // POSIX, ustar: the field "magic"
	return len(head) >= at+5 && string(head[at:at+5]) == "ustar"
}

// SecretKey returns the secret key that Delta Chat uses, in OpenPGP's binary form and
// unlocked. For a moment a copy of the database is in the system's folder for temporary
// files, readable by the user alone: it is as plain as the backup itself. Errors:
// ErrNoBackup, ErrPassphrase, ErrNoKey.
func SecretKey(ctx context.Context, backup io.Reader) (secret []byte, err error) {
	database, err := findDatabase(backup)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "restante-key-*")
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "key.db")
	if err := copyFile(file, database); err != nil {
		return nil, err
	}
	return readKey(ctx, file)
}

// findDatabase goes forward to the database and looks at its beginning.
func findDatabase(backup io.Reader) (io.Reader, error) {
	archive := tar.NewReader(backup)
	for range maxEntries {
		h, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrNoBackup, err)
		}
		if h.Name != databaseName || h.Typeflag != tar.TypeReg {
			continue
		}
		head := make([]byte, len(sqliteMagic))
		switch _, err := io.ReadFull(archive, head); {
		case err != nil:
			return nil, fmt.Errorf("%w (%w)", ErrNoBackup, err)
		case !bytes.Equal(head, sqliteMagic):
			return nil, ErrPassphrase
		}
		return io.MultiReader(bytes.NewReader(head), io.LimitReader(archive, maxDatabase)), nil
	}
	return nil, ErrNoBackup
}

func copyFile(name string, from io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	if _, err := io.Copy(f, from); err != nil {
		return errors.Join(fmt.Errorf("read backup: %w", err), f.Close())
	}
	return f.Close()
}

// selectKey finds the key in use: by its number in the settings, or by the mark that
// versions before 2 gave it.
const selectKey = `SELECT private_key FROM keypairs
	WHERE length(private_key) <= $1
	ORDER BY id = (SELECT CAST(value AS INTEGER) FROM config WHERE keyname = 'key_id') DESC, is_default DESC, id DESC LIMIT 1`

func readKey(ctx context.Context, file string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	db, err := sql.Open(driverName, "file:"+(&url.URL{Path: filepath.ToSlash(file)}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	// Nothing that a made-up schema brings along is run.
	if _, err := db.ExecContext(ctx, "PRAGMA trusted_schema = OFF"); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoBackup, err)
	}
	var secret []byte
	err = db.QueryRowContext(ctx, selectKey, maxKey).Scan(&secret)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, ErrNoKey
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", ErrNoBackup, err)
	}
	return secret, nil
}

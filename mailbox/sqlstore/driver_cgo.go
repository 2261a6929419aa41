//go:build cgo

package sqlstore

import (
	"database/sql/driver"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// sqliteDriver is SQLite itself, compiled from C.
func sqliteDriver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// driverCode returns SQLite's result code. The driver returns its errors by
// value: asking for a pointer would never find one.
func driverCode(err error) (int, bool) {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return int(e.Code), true
}

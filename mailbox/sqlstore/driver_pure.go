//go:build !cgo

package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"modernc.org/sqlite"
)

// sqliteDriver is SQLite translated to Go, for builds without a C compiler. It
// stands behind a name in database/sql only.
var sqliteDriver = sync.OnceValue(func() driver.Driver {
	db, err := sql.Open("sqlite", "")
	if err != nil {
		panic("restante: internal error: " + err.Error())
	}
	defer db.Close()
	return db.Driver()
})

// driverCode returns SQLite's result code.
func driverCode(err error) (int, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

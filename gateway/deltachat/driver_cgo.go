//go:build cgo

package deltachat

import _ "github.com/mattn/go-sqlite3" // SQLite itself, compiled from C

const driverName = "sqlite3"

//go:build !cgo

package deltachat

import _ "modernc.org/sqlite" // SQLite translated to Go

const driverName = "sqlite"

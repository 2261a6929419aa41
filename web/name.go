package web

import (
	"strings"
	"unicode/utf8"

	"github.com/restante/restante/internal/addr"
)

// The rules for what people choose themselves.
const (
	minName = 3
	maxName = 32

	// minFirstName is the shortest name that a first login makes an account of:
	// that of the names which Delta Chat invents. Somebody who mistypes a short
	// name gets an error, and not an account.
	minFirstName = 9

	minPassword = 12 // characters
	maxPassword = 1024
)

// reserved are the names that nobody can have: those by which others reach the
// operator of a domain (RFC 2142), to some of which certificates of the domain are
// sent (CA/Browser Forum, Baseline Requirements, 3.2.2.4.4), and names that look
// like the relay's own.
var reserved = makeSet(`
	abuse admin administrator billing certificates contact daemon devnull echo ftp
	help hostmaster info it mail mailer-daemon mailerdaemon marketing mis news
	nobody no-reply noc noreply notifications operator postmaster privacy relay
	restante root sales security service ssladmin ssladministrator sslwebmaster
	staff support sysadmin system team usenet uucp webmaster www`)

func makeSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

// checkName checks the local part that somebody has chosen for an address.
func checkName(name string, shortest int) error {
	if len(name) < shortest || len(name) > maxName || addr.ValidLocal(name) != nil {
		return errName
	}
	if reserved[name] {
		return errReserved
	}
	return nil
}

// checkPassword checks a password that somebody has chosen.
func checkPassword(password string) error {
	if n := utf8.RuneCountInString(password); n < minPassword || len(password) > maxPassword {
		return errPassword
	}
	return nil
}

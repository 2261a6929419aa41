// Package mailbox is the domain of the relay: accounts, the mailbox tree of
// each account, and the sealed messages in it.
//
// It has two halves. Store is the contract of what is kept: rows of numbers,
// MACs and ciphertext, in transactions that are durable when they return;
// package sqlstore fulfils it and package storetest holds every engine to it.
// Service is the rules above the store: it knows the relay key, opens and seals,
// checks credentials, takes in messages and gives each logged-in owner a
// Session through which the IMAP server reads and changes the mailbox.
//
// Data takes one way: Service.Receive spools the bytes under a key that exists
// only in memory while a Gate judges them, Service.Deliver seals them to each
// owner, Store.Accept makes them durable, and Session opens them again.
//
// Nothing here knows SQL, SMTP or IMAP, and nothing a Store is given can be
// read without a key the Store never sees.
package mailbox

import (
	"log/slog"
	"strconv"
	"time"
)

// AccountID names an account inside one store. It is a random positive 63-bit
// number and tells nothing about the owner.
type AccountID int64

// LogValue shows the number: an account id is the identity that logs may have.
func (id AccountID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// String gives the short form that operator commands print and accept.
func (id AccountID) String() string { return strconv.FormatInt(int64(id), 36) }

// ParseAccountID reads what AccountID.String printed.
func ParseAccountID(s string) (AccountID, error) {
	n, err := strconv.ParseInt(s, 36, 64)
	if err != nil || n <= 0 {
		return 0, ErrNoAccount
	}
	return AccountID(n), nil
}

// MailboxID names a mailbox inside one account. It is never reused, and
// survives a rename.
type MailboxID int64

// Inbox is the mailbox every account is made with. It can't be deleted.
const Inbox MailboxID = 1

// UID is a message's unique identifier inside its mailbox (RFC 9051, 2.3.1.1).
// Zero is no message.
type UID uint32

// ModSeq is a mod-sequence of one mailbox (RFC 7162, 3.1). It fits in 63 bits.
type ModSeq uint64

// Change counts the committed changes of an account, whatever they touched.
// Equal values mean that nothing changed in between.
type Change uint64

// Day counts days since 1970-01-01 UTC. It is the finest time a store holds in
// clear.
type Day int32

// DayOf returns the UTC day of t.
func DayOf(t time.Time) Day { return Day(t.Unix() / 86400) }

// UIDRange is an inclusive range of UIDs, Low ≤ High. Sets of UIDs are slices
// of ranges, ascending and disjoint.
type UIDRange struct{ Low, High UID }

// AllUIDs returns the set that holds every UID.
func AllUIDs() []UIDRange { return []UIDRange{{1, 1<<32 - 1}} }

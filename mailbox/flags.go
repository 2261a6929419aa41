package mailbox

// Flags is the set of flags of one message: the system flags, and one bit for
// each keyword of the account's dictionary (Store.Keywords). The store sees
// which messages share a keyword, never its name.
type Flags uint64

// The system flags (RFC 9051, 2.3.2).
const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
)

const (
	firstKeyword = 8

	// SystemFlags holds every system flag.
	SystemFlags = Seen | Answered | Flagged | Deleted | Draft

	// MaxKeywords is how many different keywords an account can use at a time.
	// A keyword that no message carries any more makes room for another.
	MaxKeywords = 63 - firstKeyword
)

// KeywordFlag returns the flag of keyword n of the account's dictionary,
// 0 ≤ n < MaxKeywords.
func KeywordFlag(n int) Flags { return 1 << (firstKeyword + n) }

// FlagMode says how StoreFlags combines the flags given with those there.
type FlagMode int

// The three forms of the IMAP STORE command (RFC 9051, 6.4.6).
const (
	ReplaceFlags FlagMode = iota
	AddFlags
	RemoveFlags
)

// Apply returns what a message with flags old has after the change.
func (m FlagMode) Apply(old, given Flags) Flags {
	switch m {
	case AddFlags:
		return old | given
	case RemoveFlags:
		return old &^ given
	}
	return given
}

package gateway

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// ledger is what the two sides of one mailbox agreed on last. It is in memory from the
// first cycle on, indexed by all that entries are looked for by, and kept in the vault
// in pages (ledgerfile.go). Entries change by the ledger's methods only.
type ledger struct {
	ledgerHead
	pages [][]*entry
	dirty map[int]bool // pages that were changed since save
	saved ledgerHead

	remote map[imap.UID]*entry
	local  map[mailbox.UID]*entry
	digest map[string][]*entry // and by attempts
	id     map[string][]*entry
}

// ledgerHead is what a ledger says of its mailbox.
type ledgerHead struct {
	Name     string            `json:"name"`          // with '/' between levels
	Validity uint32            `json:"validity"`      // on the server; 0: it was never looked at
	ModSeq   uint64            `json:"modseq"`        // up to which the entries are what the server has
	Messages uint32            `json:"messages"`      // that the server had then
	Next     imap.UID          `json:"next"`          // the server's UIDNEXT then
	Whole    bool              `json:"whole"`         // all of them are in the ledger: none could not be fetched
	Box      mailbox.MailboxID `json:"box"`           // the local mailbox; 0: there is none
	Local    uint32            `json:"localvalidity"` // UIDVALIDITY of the local mailbox
	Pages    int               `json:"pages"`
}

// entry pairs a mail on the server with one in the local store.
type entry struct {
	Remote imap.UID    `json:"r,omitempty"` // 0: not there yet, or no longer
	Local  mailbox.UID `json:"l,omitempty"` // 0: deleted here, and to be deleted there
	Flags  flags       `json:"f,omitempty"` // as both sides had them last
	ID     string      `json:"i"`           // of the local mail; copies share it
	Digest string      `json:"d,omitempty"` // of the octets on the server

	// Attempts are the digests of uploads that began. As long as Remote is 0, one of
	// them may have reached the server. A second one that did is removed.
	Attempts []string `json:"a,omitempty"`

	// Gone says that the mail vanished from the server, and nobody deleted it.
	Gone bool `json:"g,omitempty"`

	// Told says that the deletion of the mail is on record for other devices.
	Told bool `json:"t,omitempty"`

	page int // where it is kept
}

// pending reports whether the mail is yet to come to the server.
func (e *entry) pending() bool { return e.Remote == 0 && !e.Gone && e.Local != 0 }

// attempted reports whether octets with that digest are an upload that began.
func (e *entry) attempted(digest string) bool { return slices.Contains(e.Attempts, digest) }

// digests returns all octets that are this mail.
func (e *entry) digests() []string { return append([]string{e.Digest}, e.Attempts...) }

func newLedger(name string) *ledger {
	return &ledger{
		ledgerHead: ledgerHead{Name: name}, dirty: map[int]bool{},
		remote: map[imap.UID]*entry{}, local: map[mailbox.UID]*entry{}, digest: map[string][]*entry{}, id: map[string][]*entry{},
	}
}

// entries returns all entries, for loops that change the ledger.
func (l *ledger) entries() []*entry { return slices.Concat(l.pages...) }

// add enters an entry.
func (l *ledger) add(e *entry) {
	n := len(l.pages) - 1
	if n < 0 || len(l.pages[n]) >= pageEntries {
		l.pages, n = append(l.pages, nil), n+1
	}
	e.page = n
	l.pages[n] = append(l.pages[n], e)
	l.index(e)
	l.touch(e)
}

// index makes an entry found.
func (l *ledger) index(e *entry) {
	if e.Remote != 0 {
		l.remote[e.Remote] = e
	}
	if e.Local != 0 {
		l.local[e.Local] = e
	}
	l.id[e.ID] = append(l.id[e.ID], e)
	for _, d := range e.digests() {
		l.indexDigest(e, d)
	}
}

func (l *ledger) indexDigest(e *entry, digest string) {
	if digest != "" && !slices.Contains(l.digest[digest], e) {
		l.digest[digest] = append(l.digest[digest], e)
	}
}

// touch takes note that an entry was changed.
func (l *ledger) touch(e *entry) { l.dirty[e.page] = true }

// drop removes an entry.
func (l *ledger) drop(e *entry) {
	isIt := func(o *entry) bool { return o == e }
	l.pages[e.page] = slices.DeleteFunc(l.pages[e.page], isIt)
	l.setRemote(e, 0)
	l.setLocal(e, 0)
	takeOut(l.id, e.ID, isIt)
	for _, d := range e.digests() {
		takeOut(l.digest, d, isIt)
	}
}

func takeOut(index map[string][]*entry, key string, isIt func(*entry) bool) {
	rest := slices.DeleteFunc(slices.Clone(index[key]), isIt)
	if len(rest) == 0 {
		delete(index, key)
		return
	}
	index[key] = rest
}

// setRemote says where the mail is on the server, setLocal where it is here.
func (l *ledger) setRemote(e *entry, uid imap.UID) {
	if l.remote[e.Remote] == e {
		delete(l.remote, e.Remote)
	}
	if e.Remote = uid; uid != 0 {
		l.remote[uid] = e
	}
	l.touch(e)
}

func (l *ledger) setLocal(e *entry, uid mailbox.UID) {
	if l.local[e.Local] == e {
		delete(l.local, e.Local)
	}
	if e.Local = uid; uid != 0 {
		l.local[uid] = e
	}
	l.touch(e)
}

// found says that the mail is on the server, with these octets.
func (l *ledger) found(e *entry, uid imap.UID, digest string) {
	l.setRemote(e, uid)
	e.Digest, e.Gone = digest, false
	l.indexDigest(e, digest)
}

// attempt says that an upload of these octets begins.
func (l *ledger) attempt(e *entry, digest string) {
	e.Attempts = append(e.Attempts, digest)
	l.indexDigest(e, digest)
	l.touch(e)
}

// giveUp says that the server refused the octets of the last attempt: they are nowhere.
func (l *ledger) giveUp(e *entry, digest string) {
	e.Attempts = slices.DeleteFunc(e.Attempts, func(d string) bool { return d == digest })
	takeOut(l.digest, digest, func(o *entry) bool { return o == e })
	l.touch(e)
}

// vanish says that the mail is no longer on the server: nobody here deleted it, unless
// it is no longer here either.
func (l *ledger) vanish(e *entry) {
	l.setRemote(e, 0)
	e.Gone = e.Local != 0
}

// tell says that the deletion is on record.
func (l *ledger) tell(e *entry) {
	e.Told = true
	l.touch(e)
}

// agree says which flags both sides have.
func (l *ledger) agree(e *entry, f flags) {
	if e.Flags != f {
		e.Flags = f
		l.touch(e)
	}
}

// renumber says that the server numbers all mail anew. Those that are still there come
// back as arrivals.
func (l *ledger) renumber() {
	for _, e := range l.entries() {
		if e.Remote != 0 {
			l.vanish(e)
		}
	}
	l.ModSeq, l.Messages, l.Next = 0, 0, 0
}

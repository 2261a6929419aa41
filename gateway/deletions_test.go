package gateway

import (
	"fmt"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// TestDeletedByAnotherDevice: what one device of the user has deleted is deleted on the
// other, also if a copy of it lies elsewhere; what vanished by itself is kept on both.
func TestDeletedByAnotherDevice(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"relay", "foreign"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			account := providers[provider](t)
			a := newHome(t, account)
			r := other(t, account)
			for n := range 3 {
				a.put(t, r, "INBOX", n+1)
			}
			backUp(t, a)
			b := restored(t, account, recoveryCode(t, a))
			a.sync(t)
			a.copyHere(t, "INBOX", "mail-1", "Archive", false)
			a.sync(t)
			b.sync(t)

			a.expungeHere(t, "INBOX", "mail-1")
			a.sync(t)
			a.expungeHere(t, "Archive", "mail-1") // a second record, after the first
			a.keepHere(t, "INBOX", 4, 0)
			a.sync(t)
			r.open = ""
			expire(t, a, r, "mail-2")
			want, lost := state{"INBOX": {"mail-3", "mail-4"}}, state{"INBOX": {"mail-2"}}
			for name, h := range map[string]*home{"the one": a, "the other": b} {
				h.sync(t)
				here, gone := h.here(t)
				if diff := cmp.Diff(here, want); diff != "" {
					t.Errorf("here, on %s: got - want +\n%s", name, diff)
				}
				if diff := cmp.Diff(gone, lost); diff != "" {
					t.Errorf("no longer on the server, on %s: got - want +\n%s", name, diff)
				}
			}
			records := 0
			for _, m := range kept(t, a) {
				if m.purpose == deletionsPurpose {
					records++
				}
			}
			if records != 1 {
				t.Errorf("%d records of deletions, want 1", records)
			}
			a.scan(t, "mail-1", "mail-2")
		})
	}
}

// expire has a mail vanish from INBOX at the provider without anybody's doing.
func expire(t *testing.T, h *home, r *remote, word string) {
	t.Helper()
	l, err := r.look("INBOX", newLedger(""))
	must(t, err)
	_, local := h.uidHere(t, "INBOX", word)
	e := h.watcher.sync.ledgers["INBOX"].local[local]
	if !l.has(e.Remote) {
		t.Fatalf("%s is not at the provider", word)
	}
	must(t, r.remove("INBOX", []imap.UID{e.Remote}))
}

// TestDeletionOfACopy: that one copy of a mail was deleted says nothing about the others.
func TestDeletionOfACopy(t *testing.T) {
	t.Parallel()
	p := &pair{ledger: newLedger("x")}
	p.ledger.Validity = 7
	q := &pair{ledger: newLedger("y")}
	q.ledger.Validity = 8
	keys := map[string]string{}
	for name, key := range map[string]string{
		"one":            deletionOf(p, &entry{Remote: 1, Digest: "d"}),
		"another":        deletionOf(p, &entry{Remote: 2, Digest: "d"}),
		"elsewhere":      deletionOf(q, &entry{Remote: 1, Digest: "d"}),
		"another mail's": deletionOf(p, &entry{Remote: 1, Digest: "e"}),
	} {
		if keys[key] != "" {
			t.Errorf("%s and %s have one name", name, keys[key])
		}
		keys[key] = name
	}
}

// TestDeletionsAreShort: a record has the newest deletions, as many as there is room for.
func TestDeletionsAreShort(t *testing.T) {
	t.Parallel()
	d := deletions{"old": 100 - deletionsDays - 1, "of the last day": 100 - deletionsDays}
	for n := range mostDeletions - 1 {
		d[fmt.Sprint(n)] = 100
	}
	d.shorten(100)
	if _, ok := d["of the last day"]; !ok || len(d) != mostDeletions {
		t.Errorf("%d deletions are kept, that of the last day: %v", len(d), ok)
	}
	d["newer"] = mailbox.Day(101)
	d.shorten(101)
	if _, ok := d["newer"]; !ok || len(d) != mostDeletions {
		t.Errorf("%d deletions are kept, the newest: %v", len(d), ok)
	}
}

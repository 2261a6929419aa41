package gateway

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// boxes returns the mailboxes at the provider, without those that every account has.
func boxes(t *testing.T, r *remote) (names []string) {
	t.Helper()
	list, err := r.mailboxes()
	must(t, err)
	for _, p := range list {
		if p.use == mailbox.NoUse && !slices.Contains([]string{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", requestsName}, p.name) {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

// folderNames returns the local mailboxes, without those that every account has.
func (h *home) folderNames(t *testing.T) (names []string) {
	t.Helper()
	list, err := h.Local().Session.Folders(t.Context())
	must(t, err)
	for _, f := range list {
		if f.ID != 0 && f.ID != mailbox.Inbox && f.Use == mailbox.NoUse && f.Name != requestsName && f.Name != deviceBox {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}

// sameBoxes holds both sides to some mailboxes.
func (h *home) sameBoxes(t *testing.T, r *remote, want ...string) {
	t.Helper()
	if diff := cmp.Diff(h.folderNames(t), want); diff != "" {
		t.Errorf("mailboxes here: got - want +\n%s", diff)
	}
	if diff := cmp.Diff(boxes(t, r), want); diff != "" {
		t.Errorf("mailboxes there: got - want +\n%s", diff)
	}
}

// TestMailboxesRenamed carries a new name over, in both directions, with all below it;
// no mail is fetched or sent again.
func TestMailboxesRenamed(t *testing.T) {
	t.Parallel()
	eachProvider(t, checkMailboxesRenamed)
}

func checkMailboxesRenamed(t *testing.T, h *home, r *remote) {
	t.Helper()
	must(t, r.create("Work"))
	must(t, r.create("Work/Old"))
	h.put(t, r, "Work", 1, `\seen`)
	h.put(t, r, "Work/Old", 2)
	h.sync(t)
	h.sameBoxes(t, r, "Work", "Work/Old")
	_, before := h.uidHere(t, "Work/Old", "mail-2")

	must(t, h.Local().Session.Rename(t.Context(), "Work", "Job"))
	h.sync(t)
	h.sameBoxes(t, r, "Job", "Job/Old")
	h.same(t, r, state{"Job": {`mail-1 \seen`}, "Job/Old": {"mail-2"}})

	h.reopen(t)
	must(t, r.rename("Job", "Office"))
	h.sync(t)
	h.sameBoxes(t, r, "Office", "Office/Old")
	h.same(t, r, state{"Office": {`mail-1 \seen`}, "Office/Old": {"mail-2"}})
	if _, after := h.uidHere(t, "Office/Old", "mail-2"); after != before {
		t.Errorf("the client sees UID %d become %d", before, after)
	}
}

// TestMailboxesRenamedTwice: a mailbox that both sides have renamed has the server's name.
func TestMailboxesRenamedTwice(t *testing.T) {
	t.Parallel()
	h := newHome(t, providers["relay"](t))
	r := other(t, h.account)
	must(t, r.create("Work"))
	h.put(t, r, "Work", 1)
	h.sync(t)
	must(t, h.Local().Session.Rename(t.Context(), "Work", "Job"))
	must(t, r.rename("Work", "Office"))
	h.sync(t)
	h.same(t, r, state{"Office": {"mail-1"}})
}

// TestMailboxDeletedThere: an empty mailbox goes here too; one with mail keeps it, and is
// made again when something new is put into it.
func TestMailboxDeletedThere(t *testing.T) {
	t.Parallel()
	eachProvider(t, checkMailboxDeletedThere)
}

func checkMailboxDeletedThere(t *testing.T, h *home, r *remote) {
	t.Helper()
	must(t, r.create("Empty"))
	must(t, r.create("Full"))
	h.put(t, r, "Full", 1)
	h.sync(t)
	h.sameBoxes(t, r, "Empty", "Full")
	if h.account.IMAPS != "" && !r.client.Caps().Has(imap.CapUnselect) {
		return // this client can't leave a mailbox without expunging from it
	}
	must(t, r.drop("Empty"))
	must(t, r.drop("Full"))
	h.sync(t)
	if diff := cmp.Diff(h.folderNames(t), []string{"Full"}); diff != "" {
		t.Errorf("mailboxes here: got - want +\n%s", diff)
	}
	if got := boxes(t, r); len(got) > 0 {
		t.Errorf("mailboxes there: %v", got)
	}
	_, gone := h.here(t)
	if diff := cmp.Diff(gone, state{"Full": {"mail-1"}}); diff != "" {
		t.Errorf("no longer on the server: got - want +\n%s", diff)
	}
	h.keepHere(t, "Full", 2, 0)
	h.sync(t)
	h.sameBoxes(t, r, "Full")
	if diff := cmp.Diff(h.there(t, r), state{"Full": {"mail-2"}}); diff != "" {
		t.Errorf("there: got - want +\n%s", diff)
	}
}

// TestMailboxMadeAnew: a mailbox that was deleted here and made again under the same name
// is another one: its mail is not taken for that of the old one.
func TestMailboxMadeAnew(t *testing.T) {
	t.Parallel()
	h := newHome(t, providers["relay"](t))
	r := other(t, h.account)
	must(t, r.create("Work"))
	h.put(t, r, "Work", 1)
	h.sync(t)
	must(t, h.Local().Session.Delete(t.Context(), "Work"))
	_, err := h.Local().Session.Create(t.Context(), "Work", mailbox.NoUse)
	must(t, err)
	h.keepHere(t, "Work", 2, 0)
	h.sync(t)
	h.same(t, r, state{"Work": {"mail-2"}})
}

// TestTwoWithOneName: a mailbox of the server whose name belongs to one with a role gets
// another name here, and nothing is lost or doubled.
func TestTwoWithOneName(t *testing.T) {
	t.Parallel()
	m := &matching{cycle: &cycle{}, here: map[string]mailbox.Folder{"Sent": {Name: "Sent", Use: mailbox.UseSent}}}
	m.name([]place{{name: "Sent"}, {name: "Sent Items", use: mailbox.UseSent}, {name: "Sent_"}})
	want := map[string]place{"Sent": {name: "Sent Items", use: mailbox.UseSent}, "Sent_": {name: "Sent"}, "Sent__": {name: "Sent_"}}
	if diff := cmp.Diff(m.there, want, cmp.AllowUnexported(place{})); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
}

// TestNewestFirst: of a mailbox with much mail the newest is there first.
func TestNewestFirst(t *testing.T) {
	t.Parallel()
	account := providers["relay"](t)
	cut := newCutter(t, account.IMAPS)
	far := other(t, account)
	account.IMAPS = cut.ln.Addr().String()
	h := newHome(t, account)
	for n := range 3 * atOnce {
		h.put(t, far, "INBOX", n)
	}
	cut.after.Store(atOnce * 12_500) // in the second batch
	if err := h.trySync(t); err == nil {
		t.Fatal("the connection was not cut: the test tries nothing")
	}
	here, _ := h.here(t)
	if n := len(here["INBOX"]); n == 0 || n >= 3*atOnce {
		t.Fatalf("%d mails are here: the test tries nothing", n)
	}
	for n := 2 * atOnce; n < 3*atOnce; n++ {
		h.uidHere(t, "INBOX", "mail-"+string(rune('0'+n/10))+string(rune('0'+n%10)))
	}
	cut.after.Store(0)
	h.sync(t)
	if here, _ := h.here(t); len(here["INBOX"]) != 3*atOnce {
		t.Errorf("%d mails, want %d", len(here["INBOX"]), 3*atOnce)
	}
}

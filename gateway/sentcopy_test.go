package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// sameLeft holds both sides to a state, but for what waits at a provider, which knows
// no other way, for its client's EXPUNGE.
func (h *home) sameLeft(t *testing.T, r *remote, want state) {
	t.Helper()
	here, _ := h.here(t)
	there := h.there(t, r)
	for box := range there {
		there[box] = slices.DeleteFunc(there[box], func(s string) bool { return strings.Contains(s, `\deleted`) })
	}
	for side, got := range map[string]state{"here": here, "there": there} {
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got - want +\n%s", side, diff)
		}
	}
}

// TestOneSentCopy: a client stores what it sends, a provider does so too, and one is
// left on both sides, in whatever order they come.
func TestOneSentCopy(t *testing.T) {
	t.Parallel()
	eachProvider(t, checkOneSentCopy)
}

func checkOneSentCopy(t *testing.T, h *home, r *remote) {
	t.Helper()
	if _, err := h.Local().Session.Folder(t.Context(), "Sent"); err != nil {
		t.Fatal(err)
	}
	h.sync(t) // makes Sent at a provider without one
	h.put(t, r, "Sent", 1)
	h.keepHere(t, "Sent", 1, mailbox.Seen)
	h.sync(t)
	h.sameLeft(t, r, state{"Sent": {`mail-1 \seen`}})

	h.keepHere(t, "Sent", 2, 0)
	h.sync(t)
	h.put(t, r, "Sent", 2) // later, and one for somebody in Bcc
	h.put(t, r, "Sent", 2)
	h.sync(t)
	h.sameLeft(t, r, state{"Sent": {`mail-1 \seen`, "mail-2"}})

	h.keepHere(t, "Sent", 2, 0) // the client has not seen the answer
	h.sync(t)
	h.sameLeft(t, r, state{"Sent": {`mail-1 \seen`, "mail-2"}})

	h.keepHere(t, "Archive", 2, 0) // elsewhere, copies are the user's own business
	h.sync(t)
	h.sameLeft(t, r, state{"Sent": {`mail-1 \seen`, "mail-2"}, "Archive": {"mail-2"}})
}

// TestOneDraft: a client that saves a draft again and again leaves one, on both sides.
func TestOneDraft(t *testing.T) {
	t.Parallel()
	eachProvider(t, checkOneDraft)
}

func checkOneDraft(t *testing.T, h *home, r *remote) {
	t.Helper()
	h.keepHere(t, "Drafts", 1, mailbox.Draft)
	for range 3 {
		h.sync(t)
		old, uid := h.uidHere(t, "Drafts", "mail-1")
		h.keepHere(t, "Drafts", 1, mailbox.Draft)
		_, err := h.Local().Session.Expunge(t.Context(), old, one(uid), true)
		must(t, err)
	}
	h.sync(t)
	h.sameLeft(t, r, state{"Drafts": {`mail-1 \draft`}})
}

package mailbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

func entry(name, value string) mailbox.Entry { return mailbox.Entry{Name: name, Value: []byte(value)} }

func wantEntries(t *testing.T, x *mailbox.Session, mbox mailbox.MailboxID, want ...mailbox.Entry) {
	t.Helper()
	got, err := x.Metadata(t.Context(), mbox)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries of mailbox %d (-want +got):\n%s", mbox, d)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	set := func(mbox mailbox.MailboxID, entries ...mailbox.Entry) error {
		return x.SetMetadata(t.Context(), mbox, entries...)
	}
	if err := set(mailbox.Inbox, entry("/private/Comment", "My own\x00comment"), entry("/shared/comment", "")); err != nil {
		t.Fatal(err)
	}
	if err := set(0, entry("/PRIVATE/comment", "of the account")); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, x, mailbox.Inbox, entry("/private/comment", "My own\x00comment"), entry("/shared/comment", ""))
	wantEntries(t, x, 0, entry("/private/comment", "of the account"))
	if err := set(mailbox.Inbox, mailbox.Entry{Name: "/private/COMMENT"}); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, x, mailbox.Inbox, entry("/shared/comment", ""))
	for want, err := range map[error]error{
		mailbox.ErrNoMailbox: set(99, entry("/private/a", "b")),
		mailbox.ErrTooLarge:  set(0, entry("/private/a", strings.Repeat("x", mailbox.MaxEntryValue+1))),
		mailbox.ErrName:      set(0, entry("/private/a", "b"), entry("/public/a", "b")),
	} {
		if !errors.Is(err, want) {
			t.Errorf("got error %v, want %v", err, want)
		}
	}
	wantEntries(t, x, 0, entry("/private/comment", "of the account"))
}

func TestEntryName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"/private/comment":             "/private/comment",
		"/Shared/vendor/Acme/Thing":    "/shared/vendor/acme/thing",
		"/private":                     "",
		"/private/":                    "",
		"/shared//x":                   "",
		"/shared/x/":                   "",
		"/shared/x//y":                 "",
		"/other/x":                     "",
		"private/x":                    "",
		"/private/a*":                  "",
		"/private/a%":                  "",
		"/private/ü":                   "",
		"/private/" + "\x07":           "",
		"/private/" + long('x', 247):   "/private/" + long('x', 247),
		"/private/" + long('x', 247+1): "",
		"":                             "",
	} {
		got, err := mailbox.EntryName(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q and error %v, want %q", name, got, err, want)
		}
	}
}

func long(c rune, n int) string { return strings.Repeat(string(c), n) }

// TestMetadataSealed: an entry put into another row does not open there, and the
// others do all the same.
func TestMetadataSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	for _, e := range []mailbox.Entry{entry("/private/a", "1"), entry("/private/b", "2"), entry("/private/c", "3")} {
		if err := x.SetMetadata(t.Context(), 0, e); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := w.store.Metadata(t.Context(), x.Account(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		if strings.Contains(string(n.Sealed), "private") {
			t.Error("the store has the name of an entry in clear")
		}
	}
	notes[0].Sealed, notes[1].Sealed = notes[1].Sealed, notes[0].Sealed
	if err := w.store.SetMetadata(t.Context(), x.Account(), 0, notes, 9); err != nil {
		t.Fatal(err)
	}
	got, err := x.Metadata(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Errorf("%d entries opened, want the one that is in its own row", len(got))
	}
	if n := strings.Count(w.log.String(), "metadata entry does not open"); n != 2 {
		t.Errorf("%d complaints in the log, want 2", n)
	}
}

func TestPushTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "b@example.org")
	add := func(tokens ...mailbox.PushToken) {
		t.Helper()
		for _, p := range tokens {
			if err := x.AddPushToken(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(tokens ...mailbox.PushToken) {
		t.Helper()
		got, err := w.PushTokens(t.Context(), c.Account)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tokens, got); d != "" {
			t.Errorf("tokens (-want +got):\n%s", d)
		}
	}
	add("openpgp:phone", "openpgp:tablet", "openpgp:phone")
	want("openpgp:phone", "openpgp:tablet")
	w.pass(t, mailbox.PushDays-1)
	x = w.login(t, c) // the account itself is in use
	add("openpgp:tablet")
	w.pass(t, 1)
	want("openpgp:tablet")
	if rows, err := w.store.PushTokens(t.Context(), c.Account); err != nil || len(rows) != 1 {
		t.Errorf("the store keeps %d tokens, error %v", len(rows), err)
	}
	if err := w.DropPushToken(t.Context(), c.Account, "openpgp:tablet"); err != nil {
		t.Fatal(err)
	}
	want()
	add("a", "b")
	if err := x.DropPushTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	want()
	for p, want := range map[mailbox.PushToken]error{"": mailbox.ErrName, mailbox.PushToken(long('x', 4097)): mailbox.ErrTooLarge} {
		if err := x.AddPushToken(t.Context(), p); !errors.Is(err, want) {
			t.Errorf("got error %v, want %v", err, want)
		}
	}
	if got := fmt.Sprint(mailbox.PushToken("openpgp:secret").LogValue()); strings.Contains(got, "secret") {
		t.Error("a log shows a push token")
	}
}

// TestExpungesTrimmed: a mailbox remembers so many expunges, and a client whose
// knowledge is older learns that it has to look at everything.
func TestExpungesTrimmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "b@example.org")
	const n = 1102 // every second one goes, and each time so does a range of its own
	w.fill(t, c.Account, mailbox.Inbox, 2*n)
	var odd []mailbox.UIDRange
	for uid := mailbox.UID(1); uid < 2*n; uid += 2 {
		odd = append(odd, mailbox.UIDRange{Low: uid, High: uid})
	}
	before := changesOf(t, x, 0)
	for _, set := range [][]mailbox.UIDRange{odd[:100], odd[100:]} {
		if _, err := x.Expunge(t.Context(), mailbox.Inbox, set, true); err != nil {
			t.Fatal(err)
		}
	}
	if !changesOf(t, x, before.Mailbox.HighestModSeq).Complete {
		t.Error("expunges were forgotten before anybody trimmed them")
	}
	w.TestOnlyCarryOut(t.Context())
	after := changesOf(t, x, before.Mailbox.HighestModSeq)
	if after.Complete || len(after.Rows) != n {
		t.Errorf("after trimming, the changes are complete: %v, with %d rows of %d", after.Complete, len(after.Rows), n)
	}
	if !changesOf(t, x, after.Mailbox.VanishFloor).Complete {
		t.Error("what is above the floor was forgotten as well")
	}
}

func changesOf(t *testing.T, x *mailbox.Session, since mailbox.ModSeq) mailbox.Changes {
	t.Helper()
	c, err := x.Changes(t.Context(), mailbox.Inbox, since)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

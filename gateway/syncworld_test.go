package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// sync runs cycles on one connection until both sides agree.
func (h *home) sync(t testing.TB) {
	t.Helper()
	if err := h.trySync(t); err != nil {
		t.Fatal(err)
	}
}

func (h *home) trySync(t testing.TB) error {
	t.Helper()
	return h.syncWithin(t, testTimeout)
}

func (h *home) syncWithin(t testing.TB, most time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	r, err := h.upstream.connect(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	for range 5 {
		again, err := h.watcher.sync.cycle(ctx, r)
		if err != nil || !again {
			return err
		}
	}
	t.Error("the cycles do not come to an end")
	return nil
}

// other is another client of the account, straight at the provider.
func other(t testing.TB, a Account) *remote {
	t.Helper()
	u, err := a.Upstream()
	if err != nil {
		t.Fatal(err)
	}
	r, err := u.connect(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() })
	if _, err := r.mailboxes(); err != nil { // which tells what stands between levels of names
		t.Fatal(err)
	}
	return r
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mark finds the word by which a test knows a mail.
var mark = regexp.MustCompile(`mail-\d+`)

// put stores a mail to the user, encrypted, at the provider.
func (h *home) put(t *testing.T, r *remote, box string, n int, flags ...string) imap.UID {
	t.Helper()
	var mail bytes.Buffer
	header := fmt.Sprintf("From: <%s>\r\nTo: <%[1]s>\r\nSubject: mail-%d\r\nMessage-ID: <mail-%[2]d@x.test>\r\nContent-Type: text/plain\r\n", h.account.Address, n)
	must(t, sealToSelf(&mail, h.Identity(), []byte(header), strings.NewReader("text\r\n"), time.Now()))
	uid, err := r.append(box, &mail, int64(mail.Len()), newFlagSet(flags...), time.Now())
	must(t, err)
	return uid
}

// keepHere stores a mail in the local store, as the user's client does.
func (h *home) keepHere(t *testing.T, box string, n int, flags mailbox.Flags) mailbox.UID {
	t.Helper()
	f, err := h.Local().Session.Folder(t.Context(), box)
	must(t, err)
	mail := fmt.Sprintf("From: <%s>\r\nSubject: mail-%d\r\nMessage-ID: <mail-%[2]d@x.test>\r\nBcc: secret@x.test\r\n\r\ntext\r\n", h.account.Address, n)
	m, err := h.Local().Service.Receive(t.Context(), strings.NewReader(mail), mailbox.ReceiveOptions{})
	must(t, err)
	defer m.Close()
	receipts, err := h.Local().Session.Append(t.Context(), f.ID, mailbox.Append{Message: m, Flags: flags})
	must(t, err)
	return receipts[0].UID
}

// state is the mail of one side by mailbox: of each its word and flags.
type state map[string][]string

func (s state) add(box, word string, flags flagSet) {
	s[box] = append(s[box], strings.TrimSpace(word+" "+strings.Join(flags.names(), " ")))
	slices.Sort(s[box])
}

// here reads the local side. What is no longer on the server is listed apart.
func (h *home) here(t *testing.T) (kept, gone state) {
	t.Helper()
	kept, gone = state{}, state{}
	x := h.Local().Session
	_, err := x.KeywordNames(t.Context())
	must(t, err)
	folders, err := x.Folders(t.Context())
	must(t, err)
	for _, f := range folders {
		if f.ID == 0 {
			continue // a subscription, of a mailbox that is not there
		}
		c, err := x.Changes(t.Context(), f.ID, 0)
		must(t, err)
		flags := map[mailbox.UID]mailbox.Flags{}
		for _, r := range c.Rows {
			flags[r.UID] = r.Flags
		}
		must(t, x.Fetch(t.Context(), f.ID, mailbox.AllUIDs(), func(i *mailbox.Item) error {
			info, err := i.Info()
			if err != nil {
				return err
			}
			to := kept
			if slices.Contains(x.Names(flags[i.UID]), goneKeyword) {
				to = gone
			}
			to.add(f.Name, mark.FindString(info.Envelope.Subject), localFlags(x, flags[i.UID]))
			return nil
		}))
	}
	return kept, gone
}

// there reads the provider's side, as the user's other devices would.
func (h *home) there(t *testing.T, r *remote) state {
	t.Helper()
	s := state{}
	boxes, err := r.mailboxes()
	must(t, err)
	for _, b := range boxes {
		l, err := r.look(b.name, newLedger(""))
		must(t, err)
		for uid, flags := range l.messages {
			var text bytes.Buffer
			raw := fetchOne(t, r, b.name, uid)
			if err := pgp.Inspect(bytes.NewReader(raw), pgp.InspectOptions{}); err != nil {
				t.Fatalf("message %d in %s, of %d octets, is not encrypted: %v\n%.600s", uid, b.name, len(raw), err, raw)
			}
			_, err = pgp.Open(&text, bytes.NewReader(raw), pgp.DecryptOptions{Keys: h.own.Load().Keys()})
			must(t, err)
			s.add(b.name, mark.FindString(text.String()), flags.set())
		}
	}
	return s
}

// fetchOne returns a message of the provider.
func fetchOne(t *testing.T, r *remote, box string, uid imap.UID) []byte {
	t.Helper()
	list, err := r.fetch(box, []imap.UID{uid}, t.TempDir())
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d messages %d in %s", len(list), uid, box)
	}
	defer list[0].raw.close()
	raw, err := io.ReadAll(list[0].raw.reader(0))
	must(t, err)
	return raw
}

// same holds both sides to one state.
func (h *home) same(t *testing.T, r *remote, want state) {
	t.Helper()
	here, gone := h.here(t)
	if diff := cmp.Diff(here, want); diff != "" {
		t.Errorf("here: got - want +\n%s", diff)
	}
	if diff := cmp.Diff(h.there(t, r), want); diff != "" {
		t.Errorf("there: got - want +\n%s", diff)
	}
	if len(gone) > 0 {
		t.Errorf("no longer on the server: %v", gone)
	}
}

// providers are what the gateway is tried with: our relay, a foreign server with the
// usual extensions, and one with none.
var providers = map[string]func(*testing.T) Account{
	"relay": func(t *testing.T) Account { return newRelay(t).account(t, "alice") },
	"foreign": func(t *testing.T) Account {
		a, _ := newForeign(t, imap.CapUIDPlus, imap.CapMove, imap.CapUnselect)
		return a
	},
	"bare": func(t *testing.T) Account { a, _ := newForeign(t); return a },
}

func eachProvider(t *testing.T, f func(*testing.T, *home, *remote)) {
	for _, name := range slices.Sorted(maps.Keys(providers)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, providers[name](t))
			f(t, h, other(t, h.account))
		})
	}
}

// uidHere returns the UID of a mail in a local mailbox.
func (h *home) uidHere(t *testing.T, box, word string) (mailbox.MailboxID, mailbox.UID) {
	t.Helper()
	f, err := h.Local().Session.Folder(t.Context(), box)
	must(t, err)
	var uid mailbox.UID
	must(t, h.Local().Session.Fetch(t.Context(), f.ID, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		info, err := i.Info()
		if err == nil && mark.FindString(info.Envelope.Subject) == word {
			uid = i.UID
		}
		return err
	}))
	if uid == 0 {
		t.Fatalf("%s is not in %s here", word, box)
	}
	return f.ID, uid
}

func (h *home) flagHere(t *testing.T, box, word string, mode mailbox.FlagMode, flags mailbox.Flags) {
	t.Helper()
	id, uid := h.uidHere(t, box, word)
	_, err := h.Local().Session.StoreFlags(t.Context(), id, mailbox.FlagChange{Set: one(uid), Mode: mode, Flags: flags})
	must(t, err)
}

func (h *home) copyHere(t *testing.T, from, word, to string, move bool) {
	t.Helper()
	id, uid := h.uidHere(t, from, word)
	f, err := h.Local().Session.Folder(t.Context(), to)
	must(t, err)
	_, err = h.Local().Session.Copy(t.Context(), mailbox.CopyRequest{From: id, To: f.ID, Set: one(uid), Move: move})
	must(t, err)
}

func (h *home) expungeHere(t *testing.T, box, word string) {
	t.Helper()
	id, uid := h.uidHere(t, box, word)
	_, err := h.Local().Session.Expunge(t.Context(), id, one(uid), true)
	must(t, err)
}

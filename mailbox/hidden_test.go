package mailbox_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// keeping logs a device in that may not expunge.
func (w *world) keeping(t *testing.T, x *mailbox.Session, c mailbox.Created) *mailbox.Session {
	t.Helper()
	secret, err := x.AddKeepingDevice(t.Context(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	c.Secret = secret
	return w.login(t, c)
}

// TestKeepingDeviceBySCRAM: what the device may not do does not hang on how it logs in.
// What it has hidden by one way is hidden by the other.
func TestKeepingDeviceBySCRAM(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	secret, err := x.AddKeepingDevice(t.Context(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		w.deliver(t, message("hello", n), "b@example.org")
	}
	phone, err := w.bySCRAM(t, "b@example.org", secret)
	if err != nil {
		t.Fatal(err)
	}
	if !phone.Keeps() || phone.Manages() {
		t.Errorf("by SCRAM it keeps %v, manages %v", phone.Keeps(), phone.Manages())
	}
	change := mailbox.FlagChange{Set: uidSet(1), Mode: mailbox.AddFlags, Flags: mailbox.Deleted}
	if _, err := phone.StoreFlags(t.Context(), mailbox.Inbox, change); err != nil {
		t.Fatal(err)
	}
	if e, err := phone.Expunge(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), false); err != nil || !cmp.Equal(e.UIDs, []mailbox.UID{1}) {
		t.Errorf("expunged %v, %v", e.UIDs, err)
	}
	wantSees(t, "the phone", phone, flagsByUID{2: 0})
	wantSees(t, "the others", x, flagsByUID{1: 0, 2: 0})
	phone.Close()
	for who, login := range map[string]func() (*mailbox.Session, error){
		"by SCRAM again": func() (*mailbox.Session, error) { return w.bySCRAM(t, "b@example.org", secret) },
		"by its password": func() (*mailbox.Session, error) {
			return w.Login(t.Context(), mailbox.Login{User: "b@example.org", Secret: secret})
		},
	} {
		again, err := login()
		if err != nil {
			t.Fatal(err)
		}
		wantSees(t, "the phone "+who, again, flagsByUID{2: 0})
		again.Close()
	}
}

// sees returns the UIDs and flags that a session sees in INBOX, and what it counts.
func sees(t *testing.T, x *mailbox.Session) map[mailbox.UID]mailbox.Flags {
	t.Helper()
	table, err := x.Open(t.Context(), mailbox.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	got := map[mailbox.UID]mailbox.Flags{}
	unseen, deleted := int64(0), int64(0)
	for _, r := range table.Rows(nil, mailbox.AllUIDs()) {
		got[r.UID] = r.Flags
		if r.Flags&mailbox.Seen == 0 {
			unseen++
		}
		if r.Flags&mailbox.Deleted != 0 {
			deleted++
		}
	}
	row, err := x.Status(t.Context(), "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if row.Messages != int64(len(got)) || row.Unseen != unseen || row.Deleted != deleted {
		t.Errorf("STATUS counts %d messages, %d unseen, %d deleted; there are %d, %d, %d", row.Messages, row.Unseen, row.Deleted, len(got), unseen, deleted)
	}
	return got
}

func uidSet(uids ...mailbox.UID) (set []mailbox.UIDRange) {
	for _, u := range uids {
		set = append(set, mailbox.UIDRange{Low: u, High: u})
	}
	return set
}

type flagsByUID = map[mailbox.UID]mailbox.Flags

func wantSees(t *testing.T, who string, x *mailbox.Session, want flagsByUID) {
	t.Helper()
	if d := cmp.Diff(want, sees(t, x)); d != "" {
		t.Errorf("%s (-want +got):\n%s", who, d)
	}
}

// TestKeepingDevice: what it marks and expunges is hidden from its own sessions, and
// stays for everybody else as it was.
func TestKeepingDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone := w.keeping(t, x, c)
	tablet := w.keeping(t, x, c)
	for n := range 4 {
		w.deliver(t, message("hello", n), "b@example.org")
	}
	ctx := t.Context()
	mark := func(x *mailbox.Session, mode mailbox.FlagMode, flags mailbox.Flags, uids ...mailbox.UID) []mailbox.Row {
		t.Helper()
		r, err := x.StoreFlags(ctx, mailbox.Inbox, mailbox.FlagChange{Set: uidSet(uids...), Mode: mode, Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		return r.Rows
	}
	const d, s = mailbox.Deleted, mailbox.Seen
	rows := mark(phone, mailbox.AddFlags, d|s, 1, 2)
	if len(rows) != 2 || rows[0].Flags != d|s {
		t.Errorf("the answer to its STORE is %+v", rows)
	}
	mark(x, mailbox.AddFlags, d, 4)
	wantSees(t, "the phone, marked", phone, flagsByUID{1: d | s, 2: d | s, 3: 0, 4: d})
	wantSees(t, "the others, marked", x, flagsByUID{1: s, 2: s, 3: 0, 4: d})
	mark(phone, mailbox.RemoveFlags, d, 2)
	wantSees(t, "the phone, one taken back", phone, flagsByUID{1: d | s, 2: s, 3: 0, 4: d})
	mark(phone, mailbox.ReplaceFlags, d, 2)
	wantSees(t, "the phone, replaced", phone, flagsByUID{1: d | s, 2: d, 3: 0, 4: d})
	wantSees(t, "the others, replaced", x, flagsByUID{1: s, 2: 0, 3: 0, 4: d})

	e, err := phone.Expunge(ctx, mailbox.Inbox, mailbox.AllUIDs(), false)
	if err != nil || !cmp.Equal(e.UIDs, []mailbox.UID{1, 2, 4}) {
		t.Errorf("expunged %v, %v", e.UIDs, err)
	}
	wantSees(t, "the phone, expunged", phone, flagsByUID{3: 0})
	wantSees(t, "the tablet", tablet, flagsByUID{1: s, 2: 0, 3: 0, 4: d})
	wantSees(t, "the others, expunged", x, flagsByUID{1: s, 2: 0, 3: 0, 4: d})

	changes, err := phone.Changes(ctx, mailbox.Inbox, 1)
	if err != nil || len(changes.Rows) != 1 || !cmp.Equal(changes.Vanished, []mailbox.UIDRange{{Low: 1, High: 2}, {Low: 4, High: 4}}) {
		t.Errorf("changes for the phone: %+v, %v", changes, err)
	}
	// What others expunge is gone for all, and what they change stays hidden.
	mark(x, mailbox.AddFlags, mailbox.Flagged, 1, 3)
	if _, err := x.Expunge(ctx, mailbox.Inbox, mailbox.AllUIDs(), false); err != nil {
		t.Fatal(err)
	}
	w.deliver(t, message("more", 1), "b@example.org")
	wantSees(t, "the phone, at last", phone, flagsByUID{3: mailbox.Flagged, 5: 0})
	wantSees(t, "the others, at last", x, flagsByUID{1: s | mailbox.Flagged, 2: 0, 3: mailbox.Flagged, 5: 0})
}

// TestKeepingDeviceMoves: to move, to replace and to delete a mailbox would be ways
// around.
func TestKeepingDeviceMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone := w.keeping(t, x, c)
	w.deliver(t, message("hello", 1), "b@example.org")
	w.deliver(t, message("hello", 2), "b@example.org")
	ctx := t.Context()
	trash, err := phone.Folder(ctx, "Trash")
	if err != nil {
		t.Fatal(err)
	}
	moved, err := phone.Copy(ctx, mailbox.CopyRequest{From: mailbox.Inbox, To: trash.ID, Set: uidSet(1), Move: true})
	if err != nil || len(moved.Dest) != 1 {
		t.Fatalf("moved %+v, %v", moved, err)
	}
	m := w.receive(t, message("new", 1))
	if _, err := phone.Replace(ctx, mailbox.Inbox, 2, mailbox.Inbox, mailbox.Append{Message: m}); err != nil {
		t.Fatal(err)
	}
	wantSees(t, "the phone", phone, flagsByUID{3: 0})
	wantSees(t, "the others", x, flagsByUID{1: 0, 2: 0, 3: 0})
	if err := phone.Delete(ctx, "Trash"); !errors.Is(err, mailbox.ErrMayNot) {
		t.Errorf("delete: %v, want ErrMayNot", err)
	}
	devices, err := x.Devices(ctx)
	if err != nil || len(devices) != 1 || !devices[0].Keeps {
		t.Fatalf("devices %+v, %v", devices, err)
	}
	if err := x.RevokeDevice(ctx, devices[0].ID); err != nil {
		t.Fatal(err)
	}
	<-phone.Revoked()
}

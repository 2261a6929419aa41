package sqlstore

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// damages are what each invariant is there to find.
var damages = []struct{ damage, want string }{
	{`UPDATE mailbox SET messages = messages + 1`, "counters of a mailbox"},
	{`UPDATE mailbox SET unseen = unseen - 1 WHERE mailbox_id = 1`, "counters of a mailbox"},
	{`UPDATE mailbox SET deleted = 1 WHERE mailbox_id = 2`, "counters of a mailbox"},
	{`UPDATE message SET size = size + 1 WHERE uid = 2`, "counters of a mailbox"},
	{`UPDATE mailbox SET uidnext = 3 WHERE mailbox_id = 1`, "UIDs and mod-sequences"},
	{`UPDATE message SET modseq = 1000 WHERE uid = 2`, "UIDs and mod-sequences"},
	{`UPDATE mailbox SET vanish_floor = 1000`, "UIDs and mod-sequences"},
	{`UPDATE account SET used_messages = 0`, "what an account keeps"},
	{`UPDATE account SET used_bytes = used_bytes + 1`, "what an account keeps"},
	{`DELETE FROM address`, "INBOX, a key and an address"},
	{`DELETE FROM account_key`, "INBOX, a key and an address"},
	{`UPDATE mailbox SET mailbox_id = 9 WHERE mailbox_id = 1`, "INBOX, a key and an address"},
	{`UPDATE account SET next_mailbox = 2`, "mailbox identifiers"},
	{`UPDATE account SET uidvalidity = 1`, "mailbox identifiers"},
	{`DELETE FROM sealed WHERE uid = 2`, "has its sealed half"},
	{`DELETE FROM message WHERE uid = 2`, "every sealed half has its message"},
	{`UPDATE message SET mailbox_id = 5 WHERE uid = 2`, "is in a mailbox"},
	{`INSERT INTO page SELECT account_id, 1, 0, 1, x'00' FROM account`, "a page is of all messages"},
	{`DELETE FROM body`, "every message has one body"},
	{`DELETE FROM body_file`, "every message has one body"},
	{`INSERT INTO body SELECT account_id, blob_id, x'00' FROM body_file`, "every message has one body"},
	{`DELETE FROM shared`, "as many messages as their count says"},
	{`UPDATE shared SET extra = 2`, "as many messages as their count says"},
	{`DELETE FROM message WHERE uid = 3`, "every body is held"},
	{`INSERT INTO body_file VALUES (7, x'00112233445566778899aabbccddeeff', 70000)`, "every body is held"},
	{`INSERT INTO expunged VALUES (7, 1, 3, 2, 2)`, "expunged UIDs are gone"},
	{`UPDATE expunged SET uid_high = 999`, "expunged UIDs are gone"},
	{`UPDATE expunged SET mailbox_id = 5`, "expunged UIDs are gone"},
}

// TestCheckFinds: each invariant finds the damage it is there for.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for _, c := range damages {

		t.Run(c.damage, func(t *testing.T) {
			t.Parallel()
			s := variedStore(t)
			if err := s.CheckConsistency(t.Context()); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			s.sql(t, "PRAGMA defer_foreign_keys = ON")
			s.sql(t, c.damage)
			err := s.CheckConsistency(t.Context())
			if !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one about %q", err, c.want)
			}
			if s.Close() == nil {
				t.Error("Close found nothing")
			}
		})
	}
}

// variedStore has messages of each kind: 1 expunged, 2 copied, 3 with a body
// file.
func variedStore(t *testing.T) *Store {
	t.Helper()
	return fillVaried(t, withAlice(t, options(t)))
}

func fillVaried(t *testing.T, s *Store) *Store {
	t.Helper()
	deliver(t, s, 100)
	deliver(t, s, 200)
	deliver(t, s, 100<<10)
	keep := func(m *mailbox.Message, _ mailbox.MailboxID, _ mailbox.UID) ([]byte, []byte, error) {
		return m.Key, m.Envelope, nil
	}
	one, two := []mailbox.UIDRange{{Low: 1, High: 1}}, []mailbox.UIDRange{{Low: 2, High: 2}}
	if _, err := s.Copy(t.Context(), alice, mailbox.CopyRequest{From: 1, To: 2, Set: two}, keep); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Expunge(t.Context(), alice, 1, mailbox.ExpungeRequest{Set: one}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDamagedFile: a body file that is missing or short is damage, and is never
// read as something else.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"missing":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 70_000) },
		"extended":  func(path string) error { return os.Truncate(path, 200_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.CheckOnClose = false
			s := withAlice(t, o)
			d := deliver(t, s, 100<<10)
			if err := damage(s.files.path(d.Blob)); err != nil {
				t.Fatal(err)
			}
			_, err := s.OpenBody(t.Context(), alice, d.Blob)
			if !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), d.Blob.String()) {
				t.Errorf("OpenBody: got error %v, want ErrCorrupt naming the body", err)
			}
			if err := s.CheckConsistency(t.Context()); !errors.Is(err, mailbox.ErrCorrupt) {
				t.Errorf("CheckConsistency: got error %v, want ErrCorrupt", err)
			}
		})
	}
}

// TestDamagedRow: a value that can't be is an error, not another value.
func TestDamagedRow(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{
		`UPDATE message SET uid = 4294967297 WHERE uid = 2`,
		`UPDATE message SET modseq = -5 WHERE uid = 2`,
		`UPDATE message SET blob_id = x'0011' WHERE uid = 2`,
	} {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.CheckOnClose = false
			s := withAlice(t, o)
			deliver(t, s, 100)
			deliver(t, s, 100)
			s.sql(t, damage)
			all := mailbox.AllUIDs()
			all[0].High = 1<<32 - 1
			_, listed := s.Changes(t.Context(), alice, mailbox.Inbox, 0)
			_, expunged := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: all})
			_, read := s.Messages(t.Context(), alice, mailbox.Inbox, all, 10)
			found := false
			for _, err := range []error{listed, expunged, read} {
				found = found || errors.Is(err, mailbox.ErrCorrupt)
				if err != nil && !errors.Is(err, mailbox.ErrCorrupt) {
					t.Errorf("got error %v, want ErrCorrupt", err)
				}
			}
			if !found {
				t.Error("nobody noticed")
			}
		})
	}
}

// TestUIDsRunOut: a mailbox that has given out its last UID takes no more, and
// never begins again.
func TestUIDsRunOut(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	s.sql(t, `UPDATE mailbox SET uidnext = 4294967294 WHERE mailbox_id = 1`)
	deliver(t, s, 100)
	_, err := s.Accept(t.Context(), []mailbox.Delivery{newDelivery(t, s, alice, 100)})
	if !errors.Is(err, mailbox.ErrLimit) {
		t.Errorf("got error %v, want ErrLimit", err)
	}
	if n := count(t, s); n != 1 {
		t.Errorf("%d messages are there, want 1", n)
	}
}

// TestMissingHalf: a message without its sealed half has neither key nor
// envelope, and doesn't hide the others.
func TestMissingHalf(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.CheckOnClose = false
	s := withAlice(t, o)
	deliver(t, s, 100)
	deliver(t, s, 100)
	s.sql(t, `DELETE FROM sealed WHERE uid = 1`)
	ms, err := s.Messages(t.Context(), alice, mailbox.Inbox, mailbox.AllUIDs(), 10)
	if err != nil || len(ms) != 2 || ms[0].Key != nil || ms[1].Key == nil {
		t.Errorf("got %d messages and error %v, want two, the first without a key", len(ms), err)
	}
}

// TestDamagedPages: what SQLite finds wrong in its file is ErrCorrupt.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := withAlice(t, o)
	for range 30 {
		deliver(t, s, 30_000)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	noise := contents(seal.NewBlobID(), 4096)
	for page := int64(1); page < 30; page++ { // all but the first, which has the schema
		if _, err := f.WriteAt(noise, page*4096); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	o.CheckOnClose = false
	s, err = Open(t.Context(), o)
	if err == nil {
		defer s.Close()
		_, err = s.Account(t.Context(), alice)
	}
	if !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("got error %v, want ErrCorrupt", err)
	}
}

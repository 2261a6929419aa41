package sqlstore

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/storetest"
)

// keyOne is the check of a relay key.
func keyOne(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey([32]byte{1}, id).Check() }

// keyTwo is that of another.
func keyTwo(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey([32]byte{2}, id).Check() }

// options has a path of the test's own.
func options(t testing.TB) Options {
	return Options{Path: filepath.Join(t.TempDir(), "store", "mail.db"), KeyCheck: keyOne, CheckOnClose: true}
}

// open opens a store, and closes it at the end unless the test did.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, mailbox.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) mailbox.Store { return open(t, options(t)) })
}

func TestContractReopened(t *testing.T) {
	t.Parallel()
	storetest.RunReopen(t, func(t *testing.T) func() mailbox.Store {
		o := options(t)
		return func() mailbox.Store { return open(t, o) }
	})
}

const alice mailbox.AccountID = 7

// testAccount has rows of usual size, and two mailboxes.
func testAccount(id mailbox.AccountID) mailbox.NewAccount {
	name := func(s string) mailbox.NewMailbox {
		return mailbox.NewMailbox{Name: mailbox.SealedName{MAC: []byte(s), Sealed: make([]byte, 60)}}
	}
	return mailbox.NewAccount{
		ID:      id,
		Key:     mailbox.AccountKey{Public: make([]byte, 1216), Generation: 1},
		Address: mailbox.Address{MAC: seal.AddressMAC{byte(id), byte(id >> 8)}, Entry: make([]byte, 100)},
		Inbox:   name("INBOX"), Mailboxes: []mailbox.NewMailbox{name("Archive")},
	}
}

// withAlice opens a store that has alice's account.
func withAlice(t testing.TB, o Options) *Store {
	t.Helper()
	s := open(t, o)
	if err := s.CreateAccount(t.Context(), testAccount(alice)); err != nil {
		t.Fatal(err)
	}
	return s
}

// contents returns n bytes that no other blob has.
func contents(blob seal.BlobID, n int) []byte {
	return bytes.Repeat(blob[:], n/len(blob)+1)[:n]
}

// newDelivery makes a delivery to an INBOX, its key and envelope of usual size.
func newDelivery(t testing.TB, s *Store, id mailbox.AccountID, size int) mailbox.Delivery {
	t.Helper()
	blob := seal.NewBlobID()
	w, err := s.CreateBody(t.Context(), id, blob, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(contents(blob, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return mailbox.Delivery{Account: id, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob, Key: make([]byte, 1168),
		Envelope: make([]byte, 600), Body: w, Size: int64(size), Day: s.today()}
}

// deliver stores one message of alice's.
func deliver(t testing.TB, s *Store, size int) mailbox.Delivery {
	t.Helper()
	d := newDelivery(t, s, alice, size)
	if _, err := s.Accept(t.Context(), []mailbox.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	return d
}

// count returns how many messages alice's INBOX has.
func count(t testing.TB, s *Store) int {
	t.Helper()
	c, err := s.Changes(t.Context(), alice, mailbox.Inbox, 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(c.Rows)
}

// sql runs a statement past the contract, as damage or a seam.
func (s *Store) sql(t testing.TB, query string, args ...any) {
	t.Helper()
	err := s.write(t.Context(), "test", func(x *tx) error {
		_, err := x.exec(query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLeasesEndWithTheirProcess: a lease of a process that was killed keeps nobody from
// the mail, since no other process can have the file.
func TestLeasesEndWithTheirProcess(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := open(t, o)
	now := time.Now()
	m := newDelivery(t, s, mailbox.QueueAccount, 100)
	_, err := s.Accept(t.Context(), nil, mailbox.Outbound{Job: 1, Destination: mailbox.DestinationID{1}, Due: now, Envelope: []byte{1}, Blob: m.Blob, Body: m.Body})
	if err != nil {
		t.Fatal(err)
	}
	claim := func(s *Store) int {
		leases, err := s.Claim(t.Context(), now, now.Add(time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(leases)
	}
	if first, second := claim(s), claim(s); first != 1 || second != 0 {
		t.Fatalf("claimed %d and then %d, want 1 and 0", first, second)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := claim(again); n != 1 {
		t.Errorf("claimed %d after the end of the process, want 1", n)
	}
}

package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// The numbers that most cases use.
const (
	alice mailbox.AccountID = 1001
	bob   mailbox.AccountID = 2002

	inbox = mailbox.Inbox
	sent  = mailbox.MailboxID(2)

	bodySize = 300 // sealed
	rowSize  = 256 // padded
)

// today is the day of the store's clock: what it keeps for some days only is
// new.
var today = mailbox.DayOf(time.Now())

// equal compares what the store returned; nil and empty slices are the same.
func equal[T any](e *env, what string, got, want T) {
	e.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		e.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func sealedName(s string) mailbox.SealedName {
	return mailbox.SealedName{MAC: []byte("mac of " + s), Sealed: []byte("sealed " + s)}
}

func newMailbox(name string) mailbox.NewMailbox {
	return mailbox.NewMailbox{Name: sealedName(name)}
}

func addressOf(id mailbox.AccountID) mailbox.Address {
	var mac seal.AddressMAC
	binary.BigEndian.PutUint64(mac[:], uint64(id))
	return mailbox.Address{MAC: mac, Entry: fmt.Appendf(nil, "entry of %s", id)}
}

func newAccount(id mailbox.AccountID) mailbox.NewAccount {
	return mailbox.NewAccount{
		ID:        id,
		Key:       mailbox.AccountKey{Public: fmt.Appendf(nil, "public key of %s", id), Generation: 1},
		Address:   addressOf(id),
		Inbox:     newMailbox("INBOX"),
		Mailboxes: []mailbox.NewMailbox{{Name: sealedName("Sent"), Use: mailbox.UseSent}},
		Created:   today,
	}
}

// account makes an account with an INBOX and Sent.
func (e *env) account(id mailbox.AccountID) {
	e.Helper()
	e.must(e.s.CreateAccount(e.ctx, newAccount(id)))
}

// accounts makes alice's and bob's.
func (e *env) accounts() {
	e.Helper()
	e.account(alice)
	e.account(bob)
}

// contents returns n bytes that no other blob has.
func contents(blob seal.BlobID, n int) []byte {
	return bytes.Repeat(blob[:], n/len(blob)+1)[:n]
}

func keyOf(blob seal.BlobID) []byte { return []byte("key of " + blob.String()) }

func envelopeOf(blob seal.BlobID) []byte { return []byte("envelope of " + blob.String()) }

// delivery makes one with a committed body of the given sealed size.
func (e *env) delivery(id mailbox.AccountID, mbox mailbox.MailboxID, size int) mailbox.Delivery {
	e.Helper()
	blob := seal.NewBlobID()
	w, err := e.s.CreateBody(e.ctx, id, blob, int64(size))
	e.must(err)
	_, err = w.Write(contents(blob, size))
	e.must(err)
	e.must(w.Commit())
	return mailbox.Delivery{
		Account: id, Mailbox: mbox, Generation: 1, Blob: blob,
		Key: keyOf(blob), Envelope: envelopeOf(blob), Body: w,
		Size: rowSize, Day: today,
	}
}

// message makes a usual delivery to alice's INBOX.
func (e *env) message(flags mailbox.Flags) mailbox.Delivery {
	e.Helper()
	d := e.delivery(alice, inbox, bodySize)
	d.Flags = flags
	return d
}

func (e *env) accept(ds ...mailbox.Delivery) []mailbox.Receipt {
	e.Helper()
	rs, err := e.s.Accept(e.ctx, ds)
	e.must(err)
	if len(rs) != len(ds) {
		e.Fatalf("got %d receipts for %d deliveries", len(rs), len(ds))
	}
	return rs
}

// fill delivers n messages to a mailbox of alice's.
func (e *env) fill(mbox mailbox.MailboxID, n int) []mailbox.Delivery {
	e.Helper()
	var ds []mailbox.Delivery
	for range n {
		ds = append(ds, e.delivery(alice, mbox, bodySize))
	}
	e.accept(ds...)
	return ds
}

func (e *env) getAccount(id mailbox.AccountID) mailbox.Account {
	e.Helper()
	a, err := e.s.Account(e.ctx, id)
	e.must(err)
	return a
}

func (e *env) getMailbox(mbox mailbox.MailboxID) mailbox.Mailbox {
	e.Helper()
	m, err := e.s.Mailbox(e.ctx, alice, mbox)
	e.must(err)
	return m
}

func (e *env) changes(mbox mailbox.MailboxID, since mailbox.ModSeq) mailbox.Changes {
	e.Helper()
	c, err := e.s.Changes(e.ctx, alice, mbox, since)
	e.must(err)
	return c
}

func (e *env) uids(mbox mailbox.MailboxID) []mailbox.UID {
	e.Helper()
	var us []mailbox.UID
	for _, r := range e.changes(mbox, 0).Rows {
		us = append(us, r.UID)
	}
	return us
}

func (e *env) messages(mbox mailbox.MailboxID, set ...mailbox.UIDRange) []mailbox.Message {
	e.Helper()
	if set == nil {
		set = mailbox.AllUIDs()
	}
	ms, err := e.s.Messages(e.ctx, alice, mbox, set, 1<<20)
	e.must(err)
	return ms
}

// hasBody fails unless the body reads as it was written.
func (e *env) hasBody(id mailbox.AccountID, blob seal.BlobID, size int) {
	e.Helper()
	r, err := e.s.OpenBody(e.ctx, id, blob)
	e.must(err)
	defer r.Close()
	got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	e.must(err)
	if !bytes.Equal(got, contents(blob, size)) {
		e.Fatalf("body %s reads differently than it was written (%d bytes)", blob, len(got))
	}
}

func (e *env) noBody(id mailbox.AccountID, blob seal.BlobID) {
	e.Helper()
	_, err := e.s.OpenBody(e.ctx, id, blob)
	e.wantErr(err, mailbox.ErrGone)
}

// set makes a set of single UIDs.
func set(uids ...mailbox.UID) []mailbox.UIDRange {
	var rs []mailbox.UIDRange
	for _, u := range uids {
		rs = append(rs, mailbox.UIDRange{Low: u, High: u})
	}
	return rs
}

// upTo lists 1 to n.
func upTo(n mailbox.UID) []mailbox.UID {
	var us []mailbox.UID
	for u := range n {
		us = append(us, u+1)
	}
	return us
}

// changed reports whether f raised alice's Account.Change.
func (e *env) changed(f func()) bool {
	e.Helper()
	before := e.getAccount(alice).Change
	f()
	after := e.getAccount(alice).Change
	if after < before {
		e.Fatalf("Account.Change went back from %d to %d", before, after)
	}
	return after > before
}

func contains(set []mailbox.UIDRange, u mailbox.UID) bool {
	return slices.ContainsFunc(set, func(r mailbox.UIDRange) bool { return r.Low <= u && u <= r.High })
}

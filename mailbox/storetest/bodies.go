package storetest

import (
	"bytes"
	"io"
	"testing/iotest"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var bodyCases = []testCase{
	{"body/sizes", bodySizes},
	{"body/read at", bodyReadAt},
	{"body/wrong size", bodyWrongSize},
	{"body/discard", bodyDiscard},
	{"body/not there", bodyNotThere},
	{"body/outlives its message while open", bodyOutlives},
	{"body/small ones at once", bodySmall},
}

// The sizes on both sides of what an engine keeps differently.
var bodySizesTried = []int{0, 1, 4096, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 1<<20 + 17}

func bodySizes(e *env) {
	e.account(alice)
	for _, size := range bodySizesTried {
		blob := seal.NewBlobID()
		w, err := e.s.CreateBody(e.ctx, alice, blob, int64(size))
		e.must(err)
		data := contents(blob, size)
		for piece := 1; len(data) > 0; piece *= 3 {
			n, err := w.Write(data[:min(piece, len(data))])
			e.must(err)
			data = data[n:]
		}
		e.must(w.Commit())
		e.noBody(alice, blob)
		e.accept(mailbox.Delivery{Account: alice, Mailbox: inbox, Generation: 1, Blob: blob, Body: w, Size: int64(size), Day: today})
		e.hasBody(alice, blob, size)
		e.noBody(bob, blob)
	}
}

func bodyReadAt(e *env) {
	e.account(alice)
	for _, size := range bodySizesTried {
		d := e.delivery(alice, inbox, size)
		e.accept(d)
		r, err := e.s.OpenBody(e.ctx, alice, d.Blob)
		e.must(err)
		if r.Size() != int64(size) {
			e.Errorf("got size %d, want %d", r.Size(), size)
		}
		if size <= 64<<10+1 { // it reads byte by byte
			e.must(iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), contents(d.Blob, size)))
		}
		if n, err := r.ReadAt(make([]byte, 10), int64(size)); n != 0 || err != io.EOF {
			e.Errorf("reading past the end of %d bytes gave %d bytes and %v, want EOF", size, n, err)
		}
		if size > 100 {
			got := make([]byte, 50)
			_, err = r.ReadAt(got, int64(size)-77)
			e.must(err)
			if !bytes.Equal(got, contents(d.Blob, size)[size-77:size-27]) {
				e.Errorf("a range of %d bytes reads wrong", size)
			}
		}
		e.must(r.Close())
	}
}

func bodyWrongSize(e *env) {
	e.account(alice)
	for _, size := range bodySizesTried[2:] {
		w, err := e.s.CreateBody(e.ctx, alice, seal.NewBlobID(), int64(size))
		e.must(err)
		_, err = w.Write(make([]byte, size-1))
		e.must(err)
		if w.Commit() == nil {
			e.Errorf("a body of %d bytes was committed with one less", size)
		}
		_, err = w.Write(make([]byte, 2))
		if err == nil && w.Commit() == nil {
			e.Errorf("a body of %d bytes was committed with one more", size)
		}
		w.Discard()
	}
}

func bodyDiscard(e *env) {
	e.account(alice)
	for _, size := range []int{bodySize, 100 << 10} {
		d := e.delivery(alice, inbox, size)
		d.Body.Discard()
		d.Body.Discard()
		if _, err := e.s.Accept(e.ctx, []mailbox.Delivery{d}); err == nil {
			e.Error("a discarded body was accepted")
		}
		e.noBody(alice, d.Blob)

		kept := e.delivery(alice, inbox, size)
		e.accept(kept)
		kept.Body.Discard()
		e.hasBody(alice, kept.Blob, size)
	}
}

func bodyNotThere(e *env) {
	e.accounts()
	e.noBody(alice, seal.NewBlobID())
	d := e.message(0)
	e.accept(d)
	e.noBody(bob, d.Blob)
}

func bodyOutlives(e *env) {
	e.account(alice)
	for _, size := range []int{bodySize, 300 << 10} {
		d := e.delivery(alice, inbox, size)
		rs := e.accept(d)
		r, err := e.s.OpenBody(e.ctx, alice, d.Blob)
		e.must(err)
		_, err = e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(rs[0].UID)})
		e.must(err)
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		e.must(err)
		if !bytes.Equal(got, contents(d.Blob, size)) {
			e.Errorf("a body of %d bytes changed under its reader", size)
		}
		e.must(r.Close())
		e.noBody(alice, d.Blob)
	}
}

// bodySmall asks for bodies of every size at once, with neighbours that are not of
// the set, the mailbox or the account.
func bodySmall(e *env) {
	e.accounts()
	want := make(map[seal.BlobID][]byte)
	var asked []mailbox.UIDRange
	for _, size := range bodySizesTried {
		d := e.delivery(alice, inbox, size)
		asked = append(asked, set(e.accept(d)[0].UID)...)
		want[d.Blob] = contents(d.Blob, size)
		e.fill(inbox, 1)
		e.fill(sent, 1)
		e.accept(e.delivery(bob, inbox, size))
	}
	got := e.smallBodies(asked)
	for blob, data := range got {
		if !bytes.Equal(data, want[blob]) {
			e.Errorf("a body that reads %d bytes has %d, or was not asked for", len(data), len(want[blob]))
		}
	}
	for blob, data := range want {
		_, small := got[blob]
		if !small && len(data) <= 4096 {
			e.Errorf("a body of %d bytes is not among the small ones", len(data))
		}
		if small && len(data) > 64<<10 {
			e.Errorf("a body of %d bytes is among the small ones", len(data))
		}
	}
	if all := e.smallBodies(mailbox.AllUIDs()); len(all) < 2*len(bodySizesTried)-3 {
		e.Errorf("got %d small bodies of the mailbox, want those between as well", len(all))
	}
	last := e.delivery(alice, inbox, 1)
	uid := e.accept(last)[0].UID
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(uid)})
	e.must(err)
	if got := e.smallBodies(set(uid)); len(got) != 0 {
		e.Errorf("got %d bodies of a message that is gone", len(got))
	}
}

func (e *env) smallBodies(set []mailbox.UIDRange) map[seal.BlobID][]byte {
	e.Helper()
	got, err := e.s.SmallBodies(e.ctx, alice, inbox, set)
	e.must(err)
	return got
}

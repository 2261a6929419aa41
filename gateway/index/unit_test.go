package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
)

// TestGrams: a text's grams are all in the set of any text that it is part of, however
// that comes in pieces.
func TestGrams(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	set := new(gramSet)
	for range 300 {
		text := make([]byte, r.IntN(60))
		for i := range text {
			text[i] = byte(r.IntN(256))
		}
		set.reset()
		for rest := text; ; {
			n := min(len(rest), r.IntN(5))
			set.add(rest[:n], bodyGram, n == len(rest))
			if rest = rest[n:]; len(rest) == 0 {
				set.add(nil, bodyGram, true)
				break
			}
		}
		for low := range text {
			for high := low; high <= len(text); high++ {
				for _, g := range gramsOf(text[low:high]) {
					if !slices.Contains(set.list, g|bodyGram) {
						t.Fatalf("%x in %x: gram %x is missing", text[low:high], text, g)
					}
				}
			}
		}
	}
}

// TestGramsAcrossTexts: what ends one text and begins the next is no gram.
func TestGramsAcrossTexts(t *testing.T) {
	t.Parallel()
	set := new(gramSet)
	set.add([]byte("ab"), 0, true)
	set.add([]byte("cd"), 0, true)
	if len(set.list) > 0 {
		t.Errorf("grams %x of texts that have none", set.list)
	}
}

// FuzzPostings: what is read of any octets is what is written of it; lists come back
// as they were.
func FuzzPostings(f *testing.F) {
	f.Add([]byte{3, 0, 1, 1}, uint16(24))
	f.Add([]byte{0, 255, 255, 3}, uint16(18))
	f.Add([]byte{1, 128}, uint16(1024))
	f.Fuzz(func(t *testing.T, b []byte, docs uint16) {
		docs = 1 + docs%mostDocs
		set, ok := readPostings(b, int(docs))
		if !ok {
			return
		}
		var list []uint16
		for n := range docs {
			if set.has(int(n)) {
				list = append(list, n)
			}
		}
		again, ok := readPostings(appendPostings(nil, list, int(docs)), int(docs))
		if !ok || again != set {
			t.Errorf("%v of %d messages becomes %v", list, docs, again)
		}
	})
}

// FuzzHead: a head that is taken is one that would be written for what it says.
func FuzzHead(f *testing.F) {
	docs := []newDoc{{3, docCut, 10}, {9, 0, 0}}
	f.Add(appendHead(nil, mailbox.Mailbox{ID: 1, UIDValidity: 7}, true, docs, []gram{5, bodyGram})[headStart:])
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range min(len(b), 80) {
			checkHead(t, b[:len(b)-n])
		}
	})
}

func checkHead(t *testing.T, head []byte) {
	t.Helper()
	b, err := parseHead("x", head)
	if err != nil {
		return
	}
	var docs []newDoc
	for n, d := range b.docs {
		off, end := b.textsOf(n)
		docs = append(docs, newDoc{d.uid, d.flags, int(end - off)})
	}
	again, err := readBlock("x", bytes.NewReader(appendHead(nil, mailbox.Mailbox{ID: b.mailbox, UIDValidity: b.validity}, b.full, docs, b.first)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(again, b, cmp.AllowUnexported(block{}, doc{})); diff != "" {
		t.Errorf("written and read again: got - want +\n%s", diff)
	}
}

// FuzzLookUp: no page makes a search fail in another way than by saying so.
func FuzzLookUp(f *testing.F) {
	w := &pageWriter{docs: 100}
	for g := range gram(3000) {
		w.add(g*7, []uint16{uint16(g % 100)})
	}
	w.finish()
	f.Add(w.pages[:pageSize], uint32(7))
	f.Fuzz(func(t *testing.T, page []byte, g uint32) {
		set, ok := lookUp(page, gram(g%gramCount), 100)
		if !ok && !set.empty() {
			t.Error("messages of a page that is none")
		}
	})
}

// TestPages finds every gram of a block, and none that it does not have.
func TestPages(t *testing.T) {
	t.Parallel()
	w := &pageWriter{docs: 1000}
	want := map[gram]uint16{}
	for g := gram(1); g < 40_000; g += 3 {
		want[g] = uint16(g % 1000)
		w.add(g, []uint16{want[g]})
	}
	w.finish()
	b := &block{first: w.first, docs: make([]doc, 1000)}
	if len(w.first) < 3 || len(w.pages) != len(w.first)*pageSize {
		t.Fatalf("%d pages in %d bytes", len(w.first), len(w.pages))
	}
	for g := range gram(40_000) {
		set, err := b.withAll(bytes.NewReader(w.pages), []gram{g}, 0)
		doc, there := want[g]
		if err != nil || there == set.empty() || there && !set.has(int(doc)) {
			t.Fatalf("gram %d: %v, %v, want message %d: %v", g, set, err, doc, there)
		}
	}
}

// TestMissing decides what goes into new blocks.
func TestMissing(t *testing.T) {
	t.Parallel()
	s := sizes{fresh: 3, block: 8}
	blockOf := func(full bool, uids ...mailbox.UID) *block {
		b := &block{full: full}
		for _, uid := range uids {
			b.docs = append(b.docs, doc{uid: uid})
		}
		return b
	}
	upTo := func(n mailbox.UID) (list []mailbox.UID) {
		for uid := range n {
			list = append(list, uid+1)
		}
		return list
	}
	for _, test := range []struct {
		name   string
		uids   []mailbox.UID
		blocks []*block
		want   []mailbox.UID
		over   int // blocks that are superfluous
	}{
		{"nothing", nil, nil, nil, 0},
		{"too few", upTo(2), nil, nil, 0},
		{"enough", upTo(3), nil, upTo(3), 0},
		{"none new", upTo(5), []*block{blockOf(false, upTo(5)...)}, nil, 0},
		{"some new", upTo(8), []*block{blockOf(false, upTo(5)...)}, []mailbox.UID{6, 7, 8}, 0},
		{"small ones together", upTo(8), []*block{blockOf(false, 1, 2, 3), blockOf(false, 4, 5, 6)}, upTo(8), 0},
		{"small ones that are full stay", upTo(8), []*block{blockOf(true, 1, 2, 3), blockOf(true, 4, 5, 6)}, nil, 0},
		{"many gone", []mailbox.UID{1, 2}, []*block{blockOf(false, 1, 2, 3)}, []mailbox.UID{1, 2}, 0},
		{"all gone", []mailbox.UID{9}, []*block{blockOf(false, 1, 2, 3)}, nil, 1},
		{"covered twice", upTo(3), []*block{blockOf(false, 1, 2), blockOf(false, 1, 2, 3), blockOf(false, 3)}, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(s.missing(test.uids, test.blocks), test.want); diff != "" {
				t.Errorf("missing: got - want +\n%s", diff)
			}
			if got := len(superfluous(test.uids, test.blocks)); got != test.over {
				t.Errorf("%d superfluous blocks, want %d", got, test.over)
			}
		})
	}
}

// TestBigMessage: a message with more text than is kept, and one with more grams, may
// have a text of which the index can't tell; and never has not.
func TestBigMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sizes{fresh: 1, block: 8})
	r := rand.New(rand.NewPCG(5, 5))
	var wild strings.Builder
	for wild.Len() < 3*maxGrams { // octets that are no UTF-8 are compared as they are
		wild.WriteByte(byte(0x80 + r.IntN(0x80)))
	}
	long := strings.Repeat(strings.Repeat("early ", 12)+"\r\n", 1500) + "the needle at the end\r\n"
	head := "From: <a@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
	w.deliver(t, mailbox.Inbox, head+"8bit\r\n\r\n"+long, head+"binary\r\n\r\n"+wild.String()+" needle\r\n", head+"8bit\r\n\r\nshort\r\n")
	must(t, w.Update(t.Context(), w.Session, mailbox.Inbox))
	b := w.of(mailbox.Inbox)[0]
	if got := []byte{b.docs[0].flags, b.docs[1].flags, b.docs[2].flags}; !bytes.Equal(got, []byte{docCut, docCut | docWild, 0}) {
		t.Fatalf("flags %v: the test tries nothing", got)
	}
	box, err := w.Status(t.Context(), "INBOX")
	must(t, err)
	all := []mailbox.UIDRange{{Low: 1, High: 3}}
	for text, want := range map[string][2][]mailbox.UIDRange{
		"needle":  {nil, {{Low: 1, High: 2}}},
		"early":   {{{Low: 1, High: 1}}, {{Low: 2, High: 2}}},
		"short":   {{{Low: 3, High: 3}}, {{Low: 2, High: 2}}},
		"missing": {nil, {{Low: 2, High: 2}}},
	} {
		has, may := w.Look(t.Context(), box, all, []byte(text), imapd.InBody)
		if diff := cmp.Diff([2][]mailbox.UIDRange{has, may}, want); diff != "" {
			t.Errorf("%q: got - want +\n%s", text, diff)
		}
	}
}

// TestCrash: an Update that is cut off anywhere leaves an index that misses nothing, and
// the next one goes on.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sizes{fresh: 2, block: 4})
	for range 3 {
		w.deliver(t, mailbox.Inbox, letter{"a", "b", "alpha"}.write(0), letter{"a", "b", "beta"}.write(0), letter{"a", "b", "gamma"}.write(0))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Update(ctx, w.Session, mailbox.Inbox); err == nil {
			t.Fatal("the update was not cut off: the test tries nothing")
		}
		w.reopen(t)
		must(t, w.Update(t.Context(), w.Session, mailbox.Inbox))
	}
	box, err := w.Status(t.Context(), "INBOX")
	must(t, err)
	has, may := w.Look(t.Context(), box, []mailbox.UIDRange{{Low: 1, High: 9}}, []byte("beta"), imapd.InBody)
	want := []mailbox.UIDRange{{Low: 2, High: 2}, {Low: 5, High: 5}, {Low: 8, High: 8}}
	if diff := cmp.Diff(has, want); diff != "" || len(may) > 0 {
		t.Errorf("got - want +\n%s\nmay: %v", diff, may)
	}
	must(t, w.Keep(func(mailbox.MailboxID) bool { return false }))
	if n := len(w.of(mailbox.Inbox)); n > 0 {
		t.Errorf("%d blocks of a mailbox that is gone", n)
	}
}

// FuzzMatches: a text is found only where it is, whatever the octets.
func FuzzMatches(f *testing.F) {
	f.Add(binary.BigEndian.AppendUint32([]byte{byte(imapd.InBody)}, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		if (query{text: []byte("needle"), in: imapd.InBody}).matches(b) && !bytes.Contains(b, []byte("needle")) {
			t.Error("found what is not there")
		}
	})
}

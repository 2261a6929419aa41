package gateway

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// run is one run of random changes on both sides of a gateway whose connection is cut
// again and again.
type run struct {
	*home
	t    *testing.T
	rand *rand.Rand
	far  *remote // straight to the provider, never cut
	cut  *cutter

	mails   int
	deleted map[string]string // by word: the side that deleted it
	owner   map[string]string // by word: the side that has moved or deleted it since both agreed
	agreed  int               // mails up to this one have been on both sides
	cuts    int
	log     []string
}

var modelBoxes = []string{"INBOX", "Archive", "Trash"}

// TestSyncModel: whatever both sides do, and wherever the connection breaks, in the end
// they are equal: every mail is there exactly once, but for those that were deleted.
func TestSyncModel(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"relay", "foreign"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", provider, seed), func(t *testing.T) {
				t.Parallel()
				newRun(t, providers[provider](t), seed).check()
			})
		}
	}
}

// newRun begins a run with an account whose mailboxes are new.
func newRun(t *testing.T, account Account, seed uint64) *run {
	t.Helper()
	far := other(t, account)
	cut := newCutter(t, account.IMAPS)
	account.IMAPS = cut.ln.Addr().String()
	x := &run{
		home: newHome(t, account), t: t, far: far, cut: cut, rand: rand.New(rand.NewPCG(seed, 7)),
		deleted: map[string]string{}, owner: map[string]string{},
	}
	t.Cleanup(x.story)
	return x
}

// check makes the changes and compares both sides.
func (x *run) check() {
	x.sync(x.t)
	for range 60 {
		x.step()
	}
	x.finish()
	if x.cuts == 0 {
		x.t.Error("no connection was cut: the test tries nothing")
	}
}

// step is one change on one side, or a cycle that is cut or not.
func (x *run) step() {
	box := modelBoxes[x.rand.IntN(len(modelBoxes))]
	switch x.rand.IntN(13) {
	case 12:
		x.note("a crash")
		x.reopen(x.t)
	case 0, 1:
		x.mails++
		x.note("mail-%d new here in %s", x.mails, box)
		x.keepHere(x.t, box, x.mails, mailbox.Seen)
	case 2, 3:
		x.mails++
		x.note("mail-%d new there in %s", x.mails, box)
		x.put(x.t, x.far, box, x.mails, `\answered`)
	case 4, 5:
		x.changeHere(box)
	case 6, 7:
		x.changeThere(box)
	case 8:
		x.note("a whole cycle")
		x.cut.after.Store(0)
		x.sync(x.t)
		clear(x.owner)
		x.agreed = x.mails
	default:
		x.cut.after.Store(int64(2000 + x.rand.IntN(16000)))
		if err := x.trySync(x.t); err != nil {
			x.cuts++
			x.note("a cycle that was cut: %v", err)
		}
	}
}

func (x *run) note(format string, args ...any) { x.log = append(x.log, fmt.Sprintf(format, args...)) }

// mayMove reports whether a side may move or delete a mail: not if the other has done
// so since both agreed. Who wins then is not what this test is about.
func (x *run) mayMove(word, side string) bool {
	if o := x.owner[word]; o != "" && o != side {
		return false
	}
	x.owner[word] = side
	return true
}

// changeHere changes one mail in the local store.
func (x *run) changeHere(box string) {
	here, _ := x.home.here(x.t)
	if len(here[box]) == 0 {
		return
	}
	word := mark.FindString(here[box][x.rand.IntN(len(here[box]))])
	to := modelBoxes[x.rand.IntN(len(modelBoxes))]
	switch n := x.rand.IntN(4); {
	case n == 0:
		x.note("%s flagged here", word)
		x.flagHere(x.t, box, word, mailbox.AddFlags, mailbox.Flagged)
	case n == 1:
		x.note("%s unseen here", word)
		x.flagHere(x.t, box, word, mailbox.RemoveFlags, mailbox.Seen)
	case !x.mayMove(word, "here"):
	case n == 2 && to != box:
		x.note("%s moved here to %s", word, to)
		x.copyHere(x.t, box, word, to, true)
	default:
		x.note("%s deleted here", word)
		x.expungeHere(x.t, box, word)
		x.deleted[word] = "here"
	}
}

// changeThere changes one mail at the provider.
func (x *run) changeThere(box string) {
	words := x.words(box)
	if len(words) == 0 {
		return
	}
	uids := slices.Sorted(maps.Keys(words))
	uid := uids[x.rand.IntN(len(uids))]
	word := words[uid]
	to := modelBoxes[x.rand.IntN(len(modelBoxes))]
	switch n := x.rand.IntN(4); {
	case n == 0:
		x.note("%s draft there", word)
		must(x.t, x.far.store(box, []imap.UID{uid}, imap.StoreFlagsAdd, newFlagSet(`\draft`)))
	case n == 1:
		x.note("%s not answered there", word)
		must(x.t, x.far.store(box, []imap.UID{uid}, imap.StoreFlagsDel, newFlagSet(`\answered`)))
	case !x.mayMove(word, "there"):
	case n == 2 && to != box:
		x.note("%s moved there to %s", word, to)
		_, err := x.far.copy(box, uid, to, true)
		must(x.t, err)
	default:
		x.note("%s deleted there", word)
		must(x.t, x.far.remove(box, []imap.UID{uid}))
		x.deleted[word] = "there"
		if n, _ := strconv.Atoi(strings.TrimPrefix(word, "mail-")); n > x.agreed {
			x.deleted[word] = "early"
		}
	}
}

// words returns the mails of a mailbox at the provider.
func (x *run) words(box string) map[imap.UID]string {
	x.far.open = ""
	must(x.t, x.far.selectBox(box))
	found, err := x.far.client.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Envelope: true}).Collect()
	must(x.t, err)
	words := map[imap.UID]string{}
	for _, m := range found {
		words[m.UID] = mark.FindString(m.Envelope.MessageID)
	}
	return words
}

// finish lets both sides come to agree and compares them with each other and with
// what was done.
func (x *run) finish() {
	x.cut.after.Store(0)
	x.sync(x.t)
	x.sync(x.t)
	here, gone := x.home.here(x.t)
	there := x.home.there(x.t, x.far)
	if diff := cmp.Diff(here, there); diff != "" {
		x.t.Errorf("here - there +\n%s", diff)
	}
	count := func(s state) map[string]int {
		n := map[string]int{}
		for _, list := range s {
			for _, line := range list {
				n[mark.FindString(line)]++
			}
		}
		return n
	}
	kept, lost := count(here), count(gone)
	for n := 1; n <= x.mails; n++ {
		word := fmt.Sprintf("mail-%d", n)
		got := [2]int{kept[word], lost[word]}
		if x.deleted[word] == "early" {
			if got[0]+got[1] > 1 {
				x.t.Errorf("%s, which was deleted there before both agreed, is doubled: %v", word, got)
			}
			continue
		}
		want := map[string][2]int{"": {1, 0}, "here": {0, 0}, "there": {0, 1}}[x.deleted[word]]
		if got != want {
			x.t.Errorf("%s, deleted %q: %d times on both sides and %d times only here, want %v", word, x.deleted[word], got[0], got[1], want)
		}
	}
}

// story prints what was done, if the test has failed.
func (x *run) story() {
	if x.t.Failed() {
		for _, line := range x.log {
			x.t.Log(line)
		}
	}
}

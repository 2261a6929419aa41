package mailbox

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is a mailbox as a plain slice, with what it takes to tell its changes.
type model struct {
	rows  []Row
	next  UID
	seq   ModSeq
	gone  map[UID]ModSeq
	floor ModSeq
}

func (m *model) add() {
	m.seq++
	m.rows = append(m.rows, Row{UID: m.next, Flags: Flags(m.seq % 32), ModSeq: m.seq})
	m.next++
}

func (m *model) flag(i int) {
	m.seq++
	m.rows[i].Flags, m.rows[i].ModSeq = Flags(m.seq%32), m.seq
}

func (m *model) expunge(i int) {
	m.seq++
	m.gone[m.rows[i].UID] = m.seq
	m.rows = slices.Delete(m.rows, i, i+1)
}

// since is what a store would say.
func (m *model) since(seq ModSeq) Changes {
	c := Changes{Mailbox: Mailbox{HighestModSeq: m.seq, UIDNext: m.next, Messages: int64(len(m.rows))}, Complete: seq >= m.floor}
	for _, r := range m.rows {
		if r.ModSeq > seq || !c.Complete {
			c.Rows = append(c.Rows, r)
		}
	}
	for uid := UID(1); uid < m.next && c.Complete && seq > 0; uid++ {
		if m.gone[uid] > seq {
			c.Vanished = addUID(c.Vanished, uid)
		}
	}
	return c
}

func addUID(set []UIDRange, uid UID) []UIDRange {
	if n := len(set); n > 0 && set[n-1].High+1 == uid {
		set[n-1].High = uid
		return set
	}
	return append(set, UIDRange{uid, uid})
}

func (m *model) uids() []UID {
	list := make([]UID, 0, len(m.rows))
	for _, r := range m.rows {
		list = append(list, r.UID)
	}
	return list
}

// TestTableIsItsModel applies random changes to a table and to a plain slice, and
// holds every view to what it was when it was taken.
func TestTableIsItsModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := &model{next: 1, gone: map[UID]ModSeq{}}
		table := &Table{}
		type kept struct {
			view View
			want []UID
		}
		var views []kept
		for range 60 {
			for range rng.IntN(40) {
				step(m, rng)
			}
			table.apply(m.since(table.highest()), nil)
			checkTable(t, table, m, rng)
			views = append(views, kept{table.View(), m.uids()})
		}
		for i, v := range views {
			if !slices.Equal(v.view.UIDs, v.want) {
				t.Fatalf("seed %d: view %d has changed since it was taken", seed, i)
			}
		}
	}
}

// step does something at random to the model.
func step(m *model, rng *rand.Rand) {
	switch n := rng.IntN(20); {
	case n < 9 || len(m.rows) == 0:
		m.add()
	case n < 14:
		m.flag(rng.IntN(len(m.rows)))
	case n < 19:
		m.expunge(rng.IntN(len(m.rows)))
	case rng.IntN(10) == 0:
		m.floor = m.seq // older expunges are forgotten
	}
}

func checkTable(t *testing.T, table *Table, m *model, rng *rand.Rand) {
	t.Helper()
	view := table.View()
	if !slices.Equal(view.UIDs, m.uids()) {
		t.Fatalf("UIDs %v, want %v", view.UIDs, m.uids())
	}
	if got, want := view.Mailbox.HighestModSeq, m.seq; got != want {
		t.Fatalf("highest mod-sequence %d, want %d", got, want)
	}
	if got := table.Rows(nil, AllUIDs()); !slices.Equal(got, m.rows) {
		t.Fatalf("rows %v, want %v", got, m.rows)
	}
	low := UID(rng.IntN(int(m.next)) + 1)
	set := []UIDRange{{1, low / 2}, {low, low + 10}, {1 << 31, 1<<32 - 1}}
	seq := ModSeq(rng.IntN(int(m.seq) + 1))
	var inSet, later []Row
	for _, r := range m.rows {
		if contains(set, r.UID) {
			inSet = append(inSet, r)
		}
		if r.ModSeq > seq {
			later = append(later, r)
		}
	}
	if got := table.Rows(nil, set); !slices.Equal(got, inSet) {
		t.Fatalf("rows of %v: %v, want %v", set, got, inSet)
	}
	if got := table.ChangedSince(seq); !slices.Equal(got, later) {
		t.Fatalf("changed since %d: %v, want %v", seq, got, later)
	}
	row, ok := table.Row(low)
	i, found := slices.BinarySearch(m.uids(), low)
	if ok != found || ok && row != m.rows[i] {
		t.Fatalf("row %d: %v, %v", low, row, ok)
	}
}

// TestTableTakesAnythingIn: a damaged store must not make a table that panics.
func TestTableTakesAnythingIn(t *testing.T) {
	t.Parallel()
	table := &Table{}
	table.apply(Changes{Complete: true, Rows: []Row{{UID: 5}, {UID: 9}}}, nil)
	table.apply(Changes{Complete: true, Rows: []Row{{UID: 7}, {UID: 3}}, Vanished: []UIDRange{{1, 2}, {100, 1<<32 - 1}}}, nil)
	if got, want := table.View().UIDs, []UID{3, 5, 7, 9}; !slices.Equal(got, want) {
		t.Errorf("UIDs %v, want %v", got, want)
	}
	table.apply(Changes{Complete: true, Vanished: []UIDRange{{1, 1<<32 - 1}}}, nil)
	if got := table.View().UIDs; len(got) != 0 {
		t.Errorf("UIDs %v, want none", got)
	}
}

func TestRowsAllocatesNothing(t *testing.T) {
	table := &Table{}
	for uid := range UID(1000) {
		table.putLocked(Row{UID: uid + 1})
	}
	dst := make([]Row, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { dst = table.Rows(dst[:0], []UIDRange{{1, 400}, {500, 1000}}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	set := []UIDRange{{1, 3}, {7, 7}, {10, 20}}
	if got := size(set); got != 15 {
		t.Errorf("size %d, want 15", got)
	}
	var in []UID
	for uid := range UID(25) {
		if contains(set, uid) {
			in = append(in, uid)
		}
	}
	if want := []UID{1, 2, 3, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}; !slices.Equal(in, want) {
		t.Errorf("contains %v", in)
	}
	for uid, want := range map[UID][]UIDRange{0: set, 2: {{3, 3}, {7, 7}, {10, 20}}, 3: {{7, 7}, {10, 20}}, 15: {{16, 20}}, 20: nil} {
		if diff := cmp.Diff(want, after(set, uid)); diff != "" {
			t.Errorf("after %d: %s", uid, diff)
		}
	}
}

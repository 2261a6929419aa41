package imapd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// TestEachRow: of the rows that a table has, those that the client knows come with
// its numbers.
func TestEachRow(t *testing.T) {
	t.Parallel()
	type told struct {
		Number uint32
		UID    mailbox.UID
	}
	uids := []mailbox.UID{3, 5, 7, 9}
	for _, test := range []struct {
		name string
		rows []mailbox.UID
		want []told
	}{
		{"all", uids, []told{{11, 3}, {12, 5}, {13, 7}, {14, 9}}},
		{"some gone", []mailbox.UID{3, 9}, []told{{11, 3}, {14, 9}}},
		{"first and last gone", []mailbox.UID{5, 7}, []told{{12, 5}, {13, 7}}},
		{"unknown ones between", []mailbox.UID{4, 5, 6, 10}, []told{{12, 5}}},
		{"none", nil, nil},
	} {
		var rows []mailbox.Row
		for _, uid := range test.rows {
			rows = append(rows, mailbox.Row{UID: uid})
		}
		var got []told
		eachRow(rows, uids, 10, func(n uint32, row mailbox.Row) bool {
			got = append(got, told{n, row.UID})
			return true
		})
		if diff := cmp.Diff(got, test.want); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

// TestSetsOfUIDs holds known and uidSet against plain loops.
func TestSetsOfUIDs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		s := &selected{uids: randomUIDs(r)}
		var set uidSet
		var want []mailbox.UID
		for uid := mailbox.UID(1); uid <= 40; uid++ {
			if r.IntN(3) > 0 {
				set.add(uid)
				if slices.Contains(s.uids, uid) {
					want = append(want, uid)
				}
			}
		}
		clipped, count := s.known(set)
		if count != len(want) {
			t.Fatalf("%d of %v are in %v, want %d", count, s.uids, set, len(want))
		}
		if got := slices.DeleteFunc(slices.Clone(s.uids), func(uid mailbox.UID) bool { return !rangesOf(clipped).Contains(uint32(uid)) }); !slices.Equal(got, want) {
			t.Fatalf("%v of %v are in %v, want %v", got, s.uids, clipped, want)
		}
	}
}

func randomUIDs(r *rand.Rand) (uids []mailbox.UID) {
	for uid := mailbox.UID(1); uid <= 40; uid++ {
		if r.IntN(2) == 0 {
			uids = append(uids, uid)
		}
	}
	return uids
}

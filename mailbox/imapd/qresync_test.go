package imapd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// A server that has forgotten old expunges tells all UIDs that are not there, from
// the first on that the client's pairs of numbers and UIDs do not vouch for.
func TestAbsent(t *testing.T) {
	t.Parallel()
	s := &selected{uids: []mailbox.UID{2, 3, 7}}
	for name, tt := range map[string]struct {
		first, next mailbox.UID
		want        []mailbox.UIDRange
	}{
		"from the start": {1, 10, []mailbox.UIDRange{{Low: 1, High: 1}, {Low: 4, High: 6}, {Low: 8, High: 9}}},
		"from a message": {3, 10, []mailbox.UIDRange{{Low: 4, High: 6}, {Low: 8, High: 9}}},
		"up to the last": {4, 8, []mailbox.UIDRange{{Low: 4, High: 6}}},
		"nothing":        {10, 10, nil},
	} {
		if diff := cmp.Diff(tt.want, s.absent(tt.first, tt.next)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAgreed(t *testing.T) {
	t.Parallel()
	s := &selected{uids: []mailbox.UID{2, 3, 7}}
	set := func(ranges ...wire.Range) wire.Set { return wire.Set{Ranges: ranges} }
	for name, tt := range map[string]struct {
		q    wire.QResync
		want mailbox.UID
	}{
		"none given":       {wire.QResync{}, 0},
		"all":              {wire.QResync{Seqs: set(wire.Range{First: 1, Last: 3}), UIDs: set(wire.Range{First: 2, Last: 3}, wire.Range{First: 7, Last: 7})}, 7},
		"the first":        {wire.QResync{Seqs: set(wire.Range{First: 1, Last: 2}), UIDs: set(wire.Range{First: 2, Last: 2}, wire.Range{First: 4, Last: 4})}, 2},
		"beyond the last":  {wire.QResync{Seqs: set(wire.Range{First: 3, Last: 4}), UIDs: set(wire.Range{First: 7, Last: 8})}, 7},
		"shifted from one": {wire.QResync{Seqs: set(wire.Range{First: 2, Last: 2}), UIDs: set(wire.Range{First: 2, Last: 2})}, 0},
	} {
		if got := s.agreed(&tt.q); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

func TestIntersect(t *testing.T) {
	t.Parallel()
	a := []mailbox.UIDRange{{Low: 1, High: 4}, {Low: 6, High: 9}, {Low: 12, High: 1<<32 - 1}}
	b := []mailbox.UIDRange{{Low: 3, High: 7}, {Low: 9, High: 12}}
	want := []mailbox.UIDRange{{Low: 3, High: 4}, {Low: 6, High: 7}, {Low: 9, High: 9}, {Low: 12, High: 12}}
	if diff := cmp.Diff(want, intersect(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, intersect(b, a)); diff != "" {
		t.Errorf("the other way round (-want +got):\n%s", diff)
	}
}

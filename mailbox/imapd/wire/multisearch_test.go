package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMultiSearch(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]SearchSource{
		// RFC 7377, 3
		`IN (mailboxes "folder1" subtree "folder2") unseen`: {
			{Filter: FilterMailboxes, Mailboxes: []string{"folder1"}}, {Filter: FilterSubtree, Mailboxes: []string{"folder2"}},
		},
		`in (mailboxes "folder1" subtree-one "folder2") subject "chad"`: {
			{Filter: FilterMailboxes, Mailboxes: []string{"folder1"}}, {Filter: FilterSubtreeOne, Mailboxes: []string{"folder2"}},
		},
		"IN (selected personal inboxes subscribed) RETURN (COUNT) CHARSET UTF-8 ALL": {
			{Filter: FilterSelected}, {Filter: FilterPersonal}, {Filter: FilterInboxes}, {Filter: FilterSubscribed},
		},
		"SEEN": nil,
	} {
		d := decode(t, in+"\r\n", Options{})
		got := d.MultiSearch()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if diff := cmp.Diff(want, got.Sources); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
		if !got.Extended {
			t.Errorf("%q is not extended", in)
		}
		again := decode(t, encode(t, func(e *Encoder) { e.MultiSearch(&got) })+"\r\n", Options{})
		if diff := cmp.Diff(got, again.MultiSearch()); diff != "" {
			t.Errorf("%q, written and read (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{"", "IN ALL", "IN () ALL", "IN (selected-delayed) ALL", "IN (mailboxes) ALL", "IN (nowhere) ALL", "IN (selected)"} {
		d := decode(t, in+"\r\n", Options{})
		d.MultiSearch()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

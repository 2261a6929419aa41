package imapd_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/restante/restante/mailbox"
)

// askedStore notes what its users have it look at for an expunge.
type askedStore struct {
	mailbox.Store

	mu  sync.Mutex
	set []mailbox.UIDRange
}

func (s *askedStore) Expunge(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, r mailbox.ExpungeRequest) (mailbox.Expunged, error) {
	s.mu.Lock()
	s.set = append(s.set, r.Set...)
	s.mu.Unlock()
	return s.Store.Expunge(ctx, id, mbox, r)
}

func (s *askedStore) take() []mailbox.UIDRange {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.set
	s.set = nil
	return set
}

// What the store looks at to expunge is what goes, however many messages stay: others
// who write wait meanwhile.
func TestExpungeAsksForTheDeletedAlone(t *testing.T) {
	t.Parallel()
	store := &askedStore{}
	w := newWorldOn(t, func(o *mailbox.Options) {
		store.Store = o.Store
		o.Store = store
	})
	created := w.account(t, "b@example.org")
	w.crowd(t, created, 1000)
	c := w.dial(t).enter(created)
	for _, test := range []struct {
		deleted, command string
		want             []mailbox.UIDRange
	}{
		{"5,17:19,1000", "EXPUNGE", []mailbox.UIDRange{{Low: 5, High: 5}, {Low: 17, High: 19}, {Low: 1000, High: 1000}}},
		{"40,50,60", "UID EXPUNGE 45:55", []mailbox.UIDRange{{Low: 50, High: 50}}},
		{"41", "CLOSE", []mailbox.UIDRange{{Low: 40, High: 41}, {Low: 60, High: 60}}},
		{"", "CLOSE", nil},
	} {
		c.ok("SELECT INBOX")
		if test.deleted != "" {
			c.ok(`UID STORE %s +FLAGS.SILENT (\Deleted)`, test.deleted)
		}
		c.ok("%s", test.command)
		if got := store.take(); !slices.Equal(got, test.want) {
			t.Errorf("%s had the store look at %v, want %v", test.command, got, test.want)
		}
	}
	if got, want := fmt.Sprint(c.ok("STATUS INBOX (MESSAGES)")), "[* STATUS INBOX (MESSAGES 991)]"; got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
}

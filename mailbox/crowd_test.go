package mailbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// TestCrowd lets several sessions of one account, and deliveries to it, get in each
// other's way, and holds every table to the rules that sessions count on.
func TestCrowd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, c := w.owner(t, "b@example.org")
	archive, err := first.Folder(t.Context(), "Archive")
	if err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	for n := range 4 {
		m := &member{world: w, session: w.login(t, c), archive: archive.ID, rng: rand.New(rand.NewPCG(uint64(n), 7)), name: fmt.Sprint("member", n)}
		crowd.Go(func() {
			for range 40 {
				if err := m.act(t); err != nil {
					t.Errorf("%s: %v", m.name, err)
					return
				}
			}
		})
	}
	crowd.Wait()
	for _, mbox := range []mailbox.MailboxID{mailbox.Inbox, archive.ID} {
		table := open(t, first, mbox)
		changes, err := first.Changes(t.Context(), mbox, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Rows(nil, mailbox.AllUIDs()); !slices.Equal(got, changes.Rows) {
			t.Errorf("mailbox %d: the table has %v, the store %v", mbox, got, changes.Rows)
		}
		for _, text := range texts(t, first, mbox) {
			if !strings.HasPrefix(text, "From: A") {
				t.Errorf("a message reads %.40q", text)
			}
		}
	}
}

// member is one session of a crowd.
type member struct {
	*world
	session *mailbox.Session
	archive mailbox.MailboxID
	rng     *rand.Rand
	name    string
	sent    int
	seen    mailbox.View
}

// act does something at random.
func (m *member) act(t *testing.T) error {
	ctx, some := t.Context(), []mailbox.UIDRange{{mailbox.UID(m.rng.IntN(20) + 1), mailbox.UID(m.rng.IntN(40) + 20)}}
	switch m.rng.IntN(7) {
	case 0, 1:
		return m.send(t)
	case 2:
		_, err := m.session.StoreFlags(ctx, mailbox.Inbox, mailbox.FlagChange{Set: some, Mode: mailbox.AddFlags, Flags: mailbox.Deleted})
		return err
	case 3:
		_, err := m.session.Expunge(ctx, mailbox.Inbox, some, false)
		return err
	case 4:
		_, err := m.session.Copy(ctx, mailbox.CopyRequest{From: mailbox.Inbox, To: m.archive, Set: some[:1], Move: m.rng.IntN(2) == 0})
		return err
	case 5:
		return m.look(t)
	}
	return m.session.Fetch(ctx, mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		text, err := textOf(ctx, i)
		if errors.Is(err, mailbox.ErrGone) {
			return nil
		}
		if err == nil && !strings.HasPrefix(text, "From: A") {
			return fmt.Errorf("message %d reads %.40q", i.UID, text)
		}
		return err
	})
}

func (m *member) send(t *testing.T) error {
	m.sent++
	in, err := m.Receive(t.Context(), strings.NewReader(message(fmt.Sprint(m.name, "-", m.sent), m.rng.IntN(3)*1500)), mailbox.ReceiveOptions{})
	if err != nil {
		return err
	}
	defer in.Close()
	return m.Deliver(t.Context(), addr.MustParse("a@example.net"), m.recipients(t, "b@example.org"), in)
}

// look opens INBOX: since the last time, mod-sequences and UIDs may only have grown.
func (m *member) look(t *testing.T) error {
	table, err := m.session.Open(t.Context(), mailbox.Inbox)
	if err != nil {
		return err
	}
	defer table.Close()
	view := table.View()
	if view.Mailbox.HighestModSeq < m.seen.Mailbox.HighestModSeq || view.Mailbox.UIDNext < m.seen.Mailbox.UIDNext {
		return fmt.Errorf("went back from %+v to %+v", m.seen.Mailbox, view.Mailbox)
	}
	if !slices.IsSorted(view.UIDs) {
		return fmt.Errorf("UIDs %v", view.UIDs)
	}
	for _, uid := range view.UIDs {
		if _, old := slices.BinarySearch(m.seen.UIDs, uid); !old && uid < m.seen.Mailbox.UIDNext {
			return fmt.Errorf("message %d came after a greater one", uid)
		}
	}
	m.seen = view
	return nil
}

package sqlstore

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox"
)

// beyondRepair are damages for which only a backup helps.
var beyondRepair = []string{`DELETE FROM address`, `DELETE FROM account_key`, `UPDATE mailbox SET mailbox_id = 9 WHERE mailbox_id = 1`}

// losing are damages that a repair can undo only by giving up what they hit.
var losing = []string{
	`DELETE FROM sealed WHERE uid = 2`, `UPDATE message SET mailbox_id = 5 WHERE uid = 2`, `DELETE FROM body`, `DELETE FROM body_file`,
}

// TestRepair: whatever a check finds, a repair mends, and gives up no message without
// being told to.
func TestRepair(t *testing.T) {
	t.Parallel()
	for _, c := range damages {
		t.Run(c.damage, func(t *testing.T) {
			t.Parallel()
			testRepair(t, options(t), c.damage)
		})
	}
}

func testRepair(t *testing.T, o Options, damage string) {
	t.Helper()
	o.CheckOnClose = false
	s := fillVaried(t, withAlice(t, o))
	before := validities(t, s, alice)
	if o.URL == "" {
		s.sql(t, "PRAGMA defer_foreign_keys = ON")
	}
	s.sql(t, damage)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.Places = []Place{Served}
	s = open(t, o)
	_, err := s.Repair(t.Context(), RepairOptions{})
	if slices.Contains(losing, damage) {
		if !errors.Is(err, mailbox.ErrCorrupt) {
			t.Errorf("without Drop: got error %v, want ErrCorrupt", err)
		}
		_, err = s.Repair(t.Context(), RepairOptions{Drop: true})
	}
	if slices.Contains(beyondRepair, damage) {
		if !errors.Is(err, mailbox.ErrCorrupt) {
			t.Errorf("beyond repair: got error %v, want ErrCorrupt", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(damage, "uidnext") && slices.Equal(before, validities(t, s, alice)) {
		t.Error("UIDs may have been given out twice, and no UIDVALIDITY was raised")
	}
	done, err := s.Repair(t.Context(), RepairOptions{Drop: true})
	if len(done) > 0 || err != nil {
		t.Errorf("a second repair did %v, error %v", done, err)
	}
}

// TestRepairFile: a message whose file is gone stays until it is given up, and then
// clients learn that it is gone.
func TestRepairFile(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.CheckOnClose = false
	s := withAlice(t, o)
	d := deliver(t, s, 100<<10)
	deliver(t, s, 100<<10)
	if err := os.Remove(s.files.path(d.Blob)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Repair(t.Context(), RepairOptions{}); !errors.Is(err, mailbox.ErrCorrupt) || count(t, s) != 2 {
		t.Errorf("without Drop: got error %v and %d messages, want ErrCorrupt and 2", err, count(t, s))
	}
	was, err := s.Mailbox(t.Context(), alice, mailbox.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Repair(t.Context(), RepairOptions{Drop: true}); err != nil {
		t.Fatal(err)
	}
	c, err := s.Changes(t.Context(), alice, mailbox.Inbox, was.HighestModSeq)
	if err != nil || len(c.Vanished) != 1 || !c.Complete {
		t.Errorf("clients are told of %+v, error %v; want one message that vanished", c, err)
	}
	if _, err := os.Stat(o.Path + damagedCopy); err != nil {
		t.Errorf("no copy from before: %v", err)
	}
}

//go:build unix

package sqlstore

import (
	"errors"
	"testing"
)

// TestMirrorFromPostgres: what a server has is the same in a file.
func TestMirrorFromPostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	s := fillCopied(t, withAlice(t, postgresOptions(t)))
	testMirror(t, s, copyOptions(t, s))
}

// TestMirrorToPostgres: and the other way round.
func TestMirrorToPostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	s := fillCopied(t, withAlice(t, options(t)))
	o := postgresOptions(t)
	o.KeyCheck, o.CopyOf, o.Places = nil, s, []Place{Arriving, Copy}
	testMirror(t, s, o)
}

// TestRestorePostgres: a backup of a file becomes a store on a server.
func TestRestorePostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	testRestore(t, fillCopied(t, withAlice(t, options(t))), postgresOptions(t))
}

// TestMovePostgres: a store goes to a server and back.
func TestMovePostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	testMove(t, options(t), postgresOptions(t))
}

// TestMoveTakesAll: a store that a node has open can't be moved, nor can a node open
// one that is moved.
func TestMoveTakesAll(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	o := postgresOptions(t)
	s := withAlice(t, o)
	if _, err := Open(t.Context(), forMove(o)); !errors.Is(err, ErrLocked) {
		t.Errorf("beside a node: got error %v, want ErrLocked", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, forMove(o))
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrLocked) {
		t.Errorf("beside a move: got error %v, want ErrLocked", err)
	}
}

// TestRepairPostgres: the same on a server, with a damage of each kind.
func TestRepairPostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	for _, damage := range []string{
		`UPDATE mailbox SET messages = messages + 1`, `UPDATE mailbox SET uidnext = 3 WHERE mailbox_id = 1`, `DELETE FROM body`,
		`DELETE FROM body_file`, `DELETE FROM shared`, `UPDATE shared SET extra = 2`, `DELETE FROM message WHERE uid = 3`,
		`UPDATE expunged SET uid_high = 999`, `UPDATE account SET next_mailbox = 2`,
	} {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			testRepair(t, postgresOptions(t), damage)
		})
	}
}

// TestBackupOfNewKeysPostgres: the same from a file onto a server, and from a server
// into a file.
func TestBackupOfNewKeysPostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	t.Run("to", func(t *testing.T) {
		t.Parallel()
		testBackupOfNewKeys(t, options(t), postgresOptions(t))
	})
	t.Run("from", func(t *testing.T) {
		t.Parallel()
		testBackupOfNewKeys(t, postgresOptions(t), options(t))
	})
}

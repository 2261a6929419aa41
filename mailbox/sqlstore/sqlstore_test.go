package sqlstore

import (
	"path/filepath"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/storetest"
)

// keyOne is the check of a relay key.
func keyOne(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey([32]byte{1}, id).Check() }

// options has a path of the test's own.
func options(t testing.TB) Options {
	return Options{Path: filepath.Join(t.TempDir(), "store", "mail.db"), KeyCheck: keyOne, CheckOnClose: true}
}

// open opens a store that the test need not close.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) mailbox.Store { return open(t, options(t)) })
}

func TestContractReopened(t *testing.T) {
	t.Parallel()
	storetest.RunReopen(t, func(t *testing.T) func() mailbox.Store {
		o := options(t)
		return func() mailbox.Store { return open(t, o) }
	})
}

//go:build unix

package sqlstore

import (
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/storetest"
)

func TestContractPostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	storetest.Run(t, func(t *testing.T) mailbox.Store { return open(t, postgresOptions(t)) })
}

func TestContractPostgresReopened(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	storetest.RunReopen(t, func(t *testing.T) func() mailbox.Store {
		o := postgresOptions(t)
		return func() mailbox.Store { return open(t, o) }
	})
}

package sqlstore

import "testing"

// TestPostgresErased: the sweep has the server vacuum every table from which secrets
// are deleted.
func TestPostgresErased(t *testing.T) {
	t.Parallel()
	s := withAlice(t, postgresOptions(t))
	deliver(t, s, 100)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var missed []string
	var table string
	err := s.readOne(t.Context(), "look", func(q querier) error {
		return q.each(`SELECT relname::text FROM pg_stat_user_tables WHERE schemaname = current_schema() AND vacuum_count = 0 AND relname = ANY($1)`, []any{&table}, func() error {
			missed = append(missed, table)
			return nil
		}, postgresErased)
	})
	if err != nil || missed != nil {
		t.Errorf("not vacuumed: %v, %v", missed, err)
	}
}

//go:build unix

package sqlstore

import (
	"fmt"
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// storeWide are the tables that belong to no account.
var storeWide = []string{"meta", "cluster", "job", "destination", "retired", "spent"}

// directory has the columns of the directory by which it is read before it is known
// whose an address is.
var directory = []string{"address.addr_mac", "published.wkd_mac", "published.fpr_mac"}

// catalog connects to a fresh store's schema.
func catalog(t *testing.T) (*pgx.Conn, Options) {
	t.Helper()
	o := postgresOptions(t)
	open(t, o)
	c, err := pgx.Connect(t.Context(), o.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) })
	return c, o
}

// pairs runs a query of two texts in each row.
func pairs(t *testing.T, c *pgx.Conn, query string, args ...any) (list [][2]string) {
	t.Helper()
	rows, err := c.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	var p [2]string
	_, err = pgx.ForEachRow(rows, []any{&p[0], &p[1]}, func() error {
		list = append(list, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestKeysLeadWithAccount: every key of every table that belongs to accounts begins
// with account_id, so that the table can be distributed by it.
func TestKeysLeadWithAccount(t *testing.T) {
	t.Parallel()
	c, _ := catalog(t)
	keys := pairs(t, c, `SELECT t.relname, a.attname FROM pg_index i
		JOIN pg_class t ON t.oid = i.indrelid
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
		WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r'`)
	keyed := make(map[string]bool)
	for _, k := range keys {
		table, column := k[0], k[1]
		keyed[table] = true
		if !slices.Contains(storeWide, table) && column != "account_id" && !slices.Contains(directory, table+"."+column) {
			t.Errorf("an index of table %s begins with %s", table, column)
		}
	}
	for _, p := range pairs(t, c, `SELECT tablename, '' FROM pg_tables WHERE schemaname = current_schema()`) {
		if !keyed[p[0]] {
			t.Errorf("table %s has no key", p[0])
		}
	}
	if len(keyed) < 15 {
		t.Fatalf("found only %d tables", len(keyed))
	}
	for _, p := range pairs(t, c, `SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
		WHERE contype = 'f' AND connamespace = current_schema()::regnamespace`) {
		if !strings.HasPrefix(p[1], "FOREIGN KEY (account_id) REFERENCES account(account_id)") {
			t.Errorf("table %s has a reference to another account's rows: %s", p[0], p[1])
		}
	}
}

// everyQuery returns the texts of both engines and of PostgreSQL's own.
func everyQuery(t *testing.T) map[string]string {
	t.Helper()
	all := queries(t)
	consts := constants(t)
	for name, e := range consts {
		if _, list := e.(*ast.CompositeLit); strings.HasPrefix(name, "postgres") && !list {
			all[name] = valueOf(t, consts, e)
		}
	}
	for _, inv := range postgresInvariants {
		all[inv.name] = inv.query
	}
	return all
}

var (
	joinWord = regexp.MustCompile(`\bJOIN\b`)
	// ofOneAccount is how a join stays within an account: by its number, or in
	// the queue's by 0.
	ofOneAccount = regexp.MustCompile(`ON (?:\w+\.)?account_id = (?:\w+\.account_id|0)\b|USING \(account_id\)`)
	ofTheQueue   = regexp.MustCompile(`JOIN destination ON destination\.dest_mac = job\.dest_mac`)
	fromWord     = regexp.MustCompile(`UPDATE (\w+) SET[^;]* FROM (\w+)\s+WHERE (\w+)\.account_id = (\w+)\.account_id`)
)

// TestNothingJoinsAccounts: no query brings rows of two accounts together.
func TestNothingJoinsAccounts(t *testing.T) {
	t.Parallel()
	joins := 0
	for name, text := range everyQuery(t) {
		n := len(joinWord.FindAllString(text, -1))
		joins += n
		if within := len(ofOneAccount.FindAllString(text, -1)) + len(ofTheQueue.FindAllString(text, -1)); within < n {
			t.Errorf("%s: %d of %d joins are by account", name, within, n)
		}
		if strings.Contains(text, "UPDATE ") && strings.Contains(text, " FROM ") && !strings.Contains(text, "DELETE") &&
			!strings.Contains(text, "INSERT") && !fromWord.MatchString(text) && strings.HasPrefix(strings.TrimSpace(text), "UPDATE") {
			t.Errorf("%s: an UPDATE reads another table, not by account", name)
		}
	}
	if joins < 20 {
		t.Fatalf("found only %d joins", joins)
	}
}

// TestPostgresPlans: every request finds its rows by a key.
func TestPostgresPlans(t *testing.T) {
	t.Parallel()
	c, _ := catalog(t)
	for _, set := range []string{"enable_seqscan = off", "plan_cache_mode = force_generic_plan"} {
		if _, err := c.Exec(t.Context(), "SET "+set); err != nil {
			t.Fatal(err)
		}
	}
	may := append([]string{"queryFilesOf", "postgresTimeline", "postgresSync", "postgresOldLoose",
		"postgresLastTimeline", "postgresSetTimeline", "raiseMailboxes", "raiseAccounts",
		"queryCalendar", "querySetCalendar", "postgresHold", "postgresMayDoom", "postgresLost"}, mayScan...)
	for name, text := range everyQuery(t) {
		if isInvariant(name) || slices.Contains(may, name) {
			continue
		}
		for _, line := range postgresPlan(t, c, text) {
			if strings.Contains(line, "Seq Scan") {
				t.Errorf("%s reads a whole table: %s", name, line)
			}
		}
	}
}

func isInvariant(name string) bool {
	is := func(i invariant) bool { return i.name == name }
	return slices.ContainsFunc(invariants, is) || slices.ContainsFunc(postgresInvariants, is)
}

// postgresPlan asks the server how it will run a query.
func postgresPlan(t *testing.T, c *pgx.Conn, text string) []string {
	t.Helper()
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	run := "EXECUTE asked"
	if n := len(slices.Compact(found)); n > 0 {
		run += "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	if _, err := c.Exec(t.Context(), "PREPARE asked AS "+text); err != nil {
		t.Errorf("%s: %v", text, err)
		return nil
	}
	defer c.Exec(t.Context(), "DEALLOCATE asked")
	rows, err := c.Query(t.Context(), "EXPLAIN "+run, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return lines
}

// TestSchemasAgree: the two engines have the same tables with the same columns, but
// for those that are one engine's own.
func TestSchemasAgree(t *testing.T) {
	t.Parallel()
	c, _ := catalog(t)
	postgres := make(map[string][]string)
	for _, p := range pairs(t, c, `SELECT table_name::text, column_name || ' ' || CASE data_type WHEN 'bigint' THEN 'INTEGER'
		WHEN 'bytea' THEN 'BLOB' ELSE upper(data_type) END || ' ' || is_nullable
		FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`) {
		postgres[p[0]] = append(postgres[p[0]], p[1])
	}
	for _, own := range []string{"cluster", "chunk", "loose"} {
		if postgres[own] == nil {
			t.Errorf("there is no table %s", own)
		}
		delete(postgres, own)
	}
	sqlite := make(map[string][]string)
	s := open(t, options(t))
	err := s.readOne(t.Context(), "describe", func(q querier) error {
		var table, column string
		return q.each(`SELECT m.name, c.name || ' ' || c.type || ' ' || CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN 'NO' ELSE 'YES' END
			FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'
			AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`, []any{&table, &column}, func() error {
			sqlite[table] = append(sqlite[table], column)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sqlite, postgres); d != "" {
		t.Errorf("the schemas differ (-SQLite +PostgreSQL):\n%s", d)
	}
	if len(postgresDialect.migrations) != len(sqliteDialect.migrations) {
		t.Error("the engines have another number of migrations")
	}
}

// TestPostgresMigrate: a database that came step by step is the same as a fresh
// one, and one of a newer program is refused.
func TestPostgresMigrate(t *testing.T) {
	t.Parallel()
	c, _ := catalog(t)
	fresh := describePostgres(t, c)
	old := postgresOptions(t)
	e := &postgres{s: &Store{opts: old}}
	if err := e.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	for n := range len(postgresDialect.migrations) {
		on, err := e.connect(t.Context(), writes)
		if err == nil {
			err = migrate(t.Context(), on, postgresDialect.migrations[:n+1])
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			err := migrate(t.Context(), on, postgresDialect.migrations[:n])
			if want := fmt.Sprintf("version %d", n+1); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("an older program: got error %v, want one that names %s", err, want)
			}
		}
		on.close()
	}
	oc, err := pgx.Connect(t.Context(), old.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer oc.Close(t.Context())
	if d := cmp.Diff(fresh, describePostgres(t, oc)); d != "" {
		t.Errorf("fresh and migrated differ (-fresh +migrated):\n%s", d)
	}
}

// TestPostgresMigrateFails: a migration that fails leaves what was there, and the next
// one finds it so.
func TestPostgresMigrateFails(t *testing.T) {
	t.Parallel()
	c, o := catalog(t)
	before := describePostgres(t, c)
	e := &postgres{s: &Store{opts: o}}
	if err := e.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer e.close()
	on, err := e.connect(t.Context(), writes)
	if err != nil {
		t.Fatal(err)
	}
	defer on.close()
	good := `CREATE TABLE later (n BIGINT PRIMARY KEY); ALTER TABLE account ADD COLUMN later BIGINT NOT NULL DEFAULT 5`
	steps := append(slices.Clone(postgresDialect.migrations), good, `CREATE TABLE later (n BIGINT)`)
	if err := migrate(t.Context(), on, steps); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema %d:", len(steps))) {
		t.Fatalf("got error %v, want one that names schema %d", err, len(steps))
	}
	if d := cmp.Diff(before, describePostgres(t, c)); d != "" {
		t.Errorf("a failed migration changed (-before +after):\n%s", d)
	}
	if have, err := schemaVersion(t.Context(), on); have != len(postgresDialect.migrations) || err != nil {
		t.Errorf("after a failed migration the schema is %d, error %v", have, err)
	}
}

// describePostgres returns columns, indexes and options of each table.
func describePostgres(t *testing.T, c *pgx.Conn) []string {
	t.Helper()
	all := make(map[string]bool)
	for _, p := range slices.Concat(
		pairs(t, c, `SELECT table_name::text, column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns
			WHERE table_schema = current_schema()`),
		pairs(t, c, `SELECT tablename::text, regexp_replace(indexdef, ' ON \w+\.', ' ON ') FROM pg_indexes WHERE schemaname = current_schema()`),
		pairs(t, c, `SELECT relname::text, coalesce(reloptions::text, '') FROM pg_class
			WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`),
	) {
		all[p[0]+": "+p[1]] = true
	}
	return slices.Sorted(maps.Keys(all))
}

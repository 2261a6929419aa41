package sqlstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// table is what copying has to know of a table. It is read from the schema, so
// that a table that a later schema adds is copied too.
type table struct {
	name    string
	columns []string
	blobs   []bool // by column: it is bytes
	key     []int  // the columns of the primary key, in its order
}

// perAccount reports whether the table's rows belong to accounts and are found by
// them.
func (t *table) perAccount() bool { return t.columns[t.key[0]] == "account_id" }

// constant reports whether a row of the table never changes: its key says all.
// What is sealed is bound to its message, whose row changes with it.
func (t *table) constant() bool {
	return t.name == "body" || t.name == "body_file" || t.name == "sealed"
}

const (
	// Pages are not copied: the owners' sessions make them again.
	sqliteTables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'page' ORDER BY name`
	sqliteFields = `SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid`
)

// readTables returns the tables that both engines have, by name. They are those of
// an empty SQLite store; PostgreSQL has the same, and others for what SQLite keeps
// in files.
func readTables(ctx context.Context) ([]*table, error) {
	db := openSQLite("tables", "memory", commonPragmas, 1)
	defer db.Close()
	on, err := newSession(ctx, db, &sqliteDialect)
	if err != nil {
		return nil, err
	}
	defer on.close()
	if err := migrate(ctx, on, sqliteDialect.migrations); err != nil {
		return nil, err
	}
	q := querier{ctx, on}
	var all []*table
	var name string
	err = q.each(sqliteTables, []any{&name}, func() error {
		all = append(all, &table{name: name})
		return nil
	})
	for i := 0; err == nil && i < len(all); i++ {
		err = all[i].readFields(q)
	}
	return all, err
}

func (t *table) readFields(q querier) error {
	var column, kind string
	var rank int
	ranks := map[int]int{}
	err := q.each(sqliteFields, []any{&column, &kind, &rank}, func() error {
		if rank > 0 {
			ranks[rank] = len(t.columns)
		}
		t.columns = append(t.columns, column)
		t.blobs = append(t.blobs, kind == "BLOB")
		return nil
	}, t.name)
	for r := 1; r <= len(ranks); r++ {
		t.key = append(t.key, ranks[r])
	}
	if err == nil && len(t.key) == 0 {
		return fmt.Errorf("table %s has no primary key", t.name)
	}
	return err
}

// names lists the columns of the key, or all.
func (t *table) names(keyOnly bool) []string {
	if !keyOnly {
		return t.columns
	}
	var names []string
	for _, i := range t.key {
		names = append(names, t.columns[i])
	}
	return names
}

// selectAll returns the query for all rows, or for those of an account ($1), in
// order of the key.
func (t *table) selectAll(keyOnly, ofAccount bool) string {
	where := ""
	if ofAccount {
		where = " WHERE account_id = $1"
	}
	return "SELECT " + strings.Join(t.names(keyOnly), ", ") + " FROM " + t.name + where +
		" ORDER BY " + strings.Join(t.names(true), ", ")
}

// byKey returns the condition that finds a row, its first placeholder $from.
func (t *table) byKey(from int) string {
	var terms []string
	for i, name := range t.names(true) {
		terms = append(terms, fmt.Sprintf("%s = $%d", name, from+i))
	}
	return " WHERE " + strings.Join(terms, " AND ")
}

func (t *table) selectOne() string {
	return "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name + t.byKey(1)
}

func (t *table) delete() string { return "DELETE FROM " + t.name + t.byKey(1) }

func (t *table) insert() string {
	var marks []string
	for i := range t.columns {
		marks = append(marks, fmt.Sprintf("$%d", i+1))
	}
	return "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

// update returns the statement that sets every column, with the key once more
// after them.
func (t *table) update() string {
	var sets []string
	for i, name := range t.columns {
		sets = append(sets, fmt.Sprintf("%s = $%d", name, i+1))
	}
	return "UPDATE " + t.name + " SET " + strings.Join(sets, ", ") + t.byKey(len(t.columns)+1)
}

// row is a row's values in order of the columns, or a key's in its own order.
type row []any

// keyOf returns the values of the key.
func (t *table) keyOf(r row) row {
	key := make(row, len(t.key))
	for i, c := range t.key {
		key[i] = r[c]
	}
	return key
}

// at returns the value of a column.
func (t *table) at(r row, column string) any { return r[slices.Index(t.columns, column)] }

// each calls f with every row of a query of this table's columns. The row is f's
// to keep.
func (t *table) each(q querier, query string, keyOnly bool, f func(row) error, args ...any) error {
	n := len(t.names(keyOnly))
	values, dest := make(row, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	return q.each(query, dest, func() error {
		r := slices.Clone(values)
		if !keyOnly {
			t.normalize(r)
		}
		return f(r)
	}, args...)
}

// normalize gives empty bytes one form: one driver returns them as nil, and one as a nil
// slice, which it would write as NULL.
func (t *table) normalize(r row) {
	for i, blob := range t.blobs {
		if b, _ := r[i].([]byte); blob && len(b) == 0 {
			r[i] = []byte{}
		}
	}
}

// encode returns what two rows share only if all their values are equal, whichever
// engine they come from.
func (r row) encode() []byte {
	var b []byte
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 's'), uint64(len(v))), v...)
		default:
			panic(fmt.Sprintf("restante: internal error: a column holds %T", v))
		}
	}
	return b
}

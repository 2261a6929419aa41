package sqlstore

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// queries returns the text of every query of this package by its name.
func queries(t *testing.T) map[string]string {
	t.Helper()
	consts := constants(t)
	found := make(map[string]string)
	for name, e := range consts {
		if strings.HasPrefix(name, "query") {
			found[name] = valueOf(t, consts, e)
		}
	}
	for i, text := range removeAccount {
		found[fmt.Sprint("removeAccount ", i)] = text
	}
	for _, inv := range invariants {
		found[inv.name] = inv.query
	}
	if len(found) < 80 {
		t.Fatalf("found only %d queries", len(found))
	}
	return found
}

// constants returns the constants of the package's sources.
func constants(t *testing.T) map[string]ast.Expr {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	consts := make(map[string]ast.Expr)
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, id := range spec.Names {
					consts[id.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	return consts
}

// valueOf puts a text together from its parts.
func valueOf(t *testing.T, consts map[string]ast.Expr, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return valueOf(t, consts, e.X) + valueOf(t, consts, e.Y)
	case *ast.Ident:
		return valueOf(t, consts, consts[e.Name])
	}
	t.Fatalf("a query is made of %T", e)
	return ""
}

var placeholder = regexp.MustCompile(`\$[0-9]+`)

// TestPlaceholders: the drivers of SQLite bind by order of first appearance,
// PostgreSQL by number.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for name, text := range queries(t) {
		highest := 0
		for _, p := range placeholder.FindAllString(text, -1) {
			n, err := strconv.Atoi(p[1:])
			if err != nil || n > highest+1 {
				t.Errorf("%s: %s comes before $%d", name, p, highest+1)
			}
			highest = max(highest, n)
		}
		if strings.Contains(text, "?") {
			t.Errorf("%s: a placeholder without a number", name)
		}
	}
}

// mayScan are the queries that read whole tables, and may: they are no part of a
// client's request.
var mayScan = []string{
	"queryVersion", "queryMeta", "querySetSchema", "querySetCheck", "queryCalendar", "querySetCalendar", "queryPlace", "querySetPlace", "queryTakeIdentity", "queryProgram", "querySetProgram", "queryObjects", "querySetObjects", // one row
	"queryOldDeliveries", "queryLongMemories", "queryExpirePushTokens", "queryEveryFile", "queryIntegrity", "queryWrongCounters", "queryWrongNumbers", // sweep and check
	"queryCensus", "queryWaiting", "queryForgetLeases", // what the operator asks for
}

// maySort are those that put in order, or group, what they read of an account
// or a mailbox.
var maySort = []string{"queryVanished", "queryCredentials", "queryFlagSets", "queryUnpaged"}

// mustUse are indexes that are there for one query.
var mustUse = map[string]string{"queryRowsSince": "message_modseq", "queryFilesOf": "body_file_blob", "queryAddresses": "address_account"}

// TestPlans: every request finds its rows by a key, and reads them in order.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	for name, text := range queries(t) {
		if slices.ContainsFunc(invariants[:], func(i invariant) bool { return i.name == name }) || slices.Contains(mayScan, name) {
			continue
		}
		steps := plan(t, s, text)
		if index, ok := mustUse[name]; ok && !strings.Contains(steps[0], index) {
			t.Errorf("%s does without %s: %s", name, index, steps[0])
		}
		for _, step := range steps {
			if strings.HasPrefix(step, "SCAN ") {
				t.Errorf("%s reads a whole table: %s", name, step)
			}
			if strings.Contains(step, "TEMP B-TREE") && !slices.Contains(maySort, name) {
				t.Errorf("%s sorts what it read: %s", name, step)
			}
		}
	}
}

// plan asks SQLite how it will run a query.
func plan(t *testing.T, s *Store, text string) []string {
	t.Helper()
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	args := make([]any, len(slices.Compact(found)))
	var steps []string
	var id, parent, unused int
	var step string
	err := s.readOne(t.Context(), "plan", func(q querier) error {
		return q.each("EXPLAIN QUERY PLAN "+text, []any{&id, &parent, &unused, &step}, func() error {
			steps = append(steps, step)
			return nil
		}, args...)
	})
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return steps
}

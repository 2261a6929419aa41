package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write config.example.toml anew")

const exampleFile = "../../config.example.toml"

// exampleHead is the beginning of the example.
const exampleHead = `# The configuration of a Restante relay.
#
# Every setting is here with its default. Only domain has none and must be
# written; whatever else is left out or left as it is has the value below.
# "restante config check" finds faults, "restante config show" prints what is in
# effect.
`

// TestExample holds config.example.toml to the comments and the defaults.
func TestExample(t *testing.T) {
	t.Parallel()
	want := example(t)
	if *update {
		if err := os.WriteFile(exampleFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("config.example.toml is not what the comments say; run go test -update (-want +got):\n%s", diff)
	}
}

// TestExampleIsTheDefault reads the example as an operator's file.
func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	got, err := Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Domain = "example.org"
	want.Resolve()
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("the example differs from the defaults (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		if !strings.Contains(string(text), "\n"+lastName(key)+" = ") && !strings.Contains(string(text), "["+key) {
			t.Errorf("the example does not mention %s", key)
		}
	}
}

// equal compares configurations.
var equal = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

// settingFiles are the sources that have the settings.
var settingFiles = []string{"config.go", "outgoing.go", "push.go", "s3.go"}

// example makes the example from the comments of the settings and the defaults.
func example(t *testing.T) []byte {
	t.Helper()
	docs := map[string]string{}
	for _, name := range settingFiles {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(docs, fieldDocs(file))
	}
	c := Default()
	c.Domain = "example.org"
	e := &exampleWriter{docs: docs}
	e.b.WriteString(exampleHead)
	e.table("", reflect.ValueOf(*c))
	return e.b.Bytes()
}

// fieldDocs returns the comments of all fields, by "Type.Field".
func fieldDocs(file *ast.File) map[string]string {
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if body, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range body.Fields.List {
				docs[spec.Name.Name+"."+f.Names[0].Name] = f.Doc.Text()
			}
		}
		return false
	})
	return docs
}

type exampleWriter struct {
	b    bytes.Buffer
	docs map[string]string
}

// table writes the settings of one struct.
func (e *exampleWriter) table(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		e.comment(e.docs[v.Type().Name()+"."+f.Name])
		name := f.Tag.Get("toml")
		if f.Type.Kind() != reflect.Struct {
			fmt.Fprintf(&e.b, "%s = %s\n", name, literal(v.Field(i).Interface()))
			continue
		}
		if f.Type.Field(0).Type.Kind() != reflect.Struct {
			fmt.Fprintf(&e.b, "[%s%s]\n", prefix, name)
		}
		e.table(prefix+name+".", v.Field(i))
	}
}

func (e *exampleWriter) comment(text string) {
	if text == "" {
		return
	}
	e.b.WriteByte('\n')
	for line := range strings.Lines(text) {
		e.b.WriteString(strings.TrimRight("# "+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
}

// literal is a value as TOML has it.
func literal(value any) string {
	switch v := value.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case []netip.Prefix:
		return "[]"
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return strconv.Quote(fmt.Sprint(value))
}

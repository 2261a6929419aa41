// Package layers holds the sources to the import rules of docs/architecture.md.
//
// It reads the files itself, because `go list` would let `go test` answer from
// its cache after an import has changed.
package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/restante/restante/"

// rules says which packages of this module each package may import. A package
// that isn't here has no place in the architecture yet.
var rules = map[string][]string{
	"cmd/restante": {"mta", "mta/queue", "mailbox", "mailbox/seal", "mailbox/imapd", "mailbox/sqlstore", "pgp", "gateway", "gateway/deltachat", "gateway/page", "gateway/phone", "gateway/vault", "gateway/provider", "gateway/leak", "push", "web", "web/token",
		"internal/addr", "internal/config", "internal/doctor", "internal/listen", "internal/mime", "internal/redact"},
	"gateway":             {"gateway/cpace", "gateway/index", "gateway/vault", "mailbox", "mailbox/seal", "mailbox/imapd", "pgp", "internal/addr", "internal/mime", "internal/pause"},
	"gateway/index":       {"gateway/vault", "mailbox", "mailbox/imapd", "mailbox/seal"},
	"gateway/page":        {"internal/qrsvg"},
	"gateway/vault":       {"mailbox/seal"},
	"gateway/provider":    {"internal/addr", "internal/pause"},
	"gateway/leak":        {},
	"gateway/cpace":       {},
	"gateway/deltachat":   {},
	"gateway/phone":       {},
	"mta":                 {"mailbox", "pgp", "internal/addr", "internal/mime", "internal/pause", "internal/scram"},
	"mta/queue":           {"mailbox", "internal/addr", "internal/mime", "internal/pause", "internal/redact"},
	"web":                 {"mailbox", "pgp", "web/token", "internal/addr", "internal/qrsvg"},
	"web/token":           {},
	"push":                {"mailbox", "internal/pause"},
	"mailbox":             {"mailbox/seal", "internal/addr", "internal/mime", "internal/pause", "internal/scram"},
	"mailbox/seal":        {},
	"mailbox/sqlstore":    {"mailbox", "mailbox/seal"},
	"mailbox/storetest":   {"mailbox", "mailbox/seal"},
	"mailbox/imapd":       {"mailbox", "mailbox/imapd/wire", "internal/addr", "internal/mime", "internal/scram"},
	"mailbox/imapd/wire":  {"internal/mime"},
	"pgp":                 {"internal/addr", "internal/mime"},
	"internal/addr":       {},
	"internal/config":     {},
	"internal/doctor":     {},
	"internal/listen":     {},
	"internal/mime":       {},
	"internal/pause":      {},
	"internal/qrsvg":      {},
	"internal/redact":     {},
	"internal/scram":      {},
	"internal/transcript": {},
	"test/bucket":         {},
	"test/layers":         {},
	"test/dovecot":        {},
	"test/logbook":        {},
	"test/nameserver":     {},
	"test/pebble":         {},
	"test/scramclient":    {},
	"test/socks":          {},
	"test/e2e":            {"internal/addr", "pgp"},
	"test/faults":         {"mailbox", "mailbox/seal", "mailbox/sqlstore", "internal/addr"},
}

// serverPGP is all that server code may use of package pgp: nothing that takes
// or makes a private key.
var serverPGP = []string{"Inspect", "InspectOptions", "Inspector", "NewInspector", "ErrNotEncrypted", "NotEncrypted",
	"ParseCert", "Cert", "EncryptTo", "EncryptOptions"}

// sqlPackages is where SQL may be spoken.
var sqlPackages = []string{"mailbox/sqlstore", "gateway/deltachat"}

// noThirdParty are the packages that stand on the standard library (and
// golang.org/x) alone, but for exceptThirdParty: arriving mail is sealed by circl.
var (
	noThirdParty     = []string{"mailbox", "mailbox/seal", "internal/addr", "internal/mime", "internal/redact", "internal/scram"}
	exceptThirdParty = map[string]string{"mailbox/seal": "github.com/cloudflare/circl/"}
)

type source struct {
	pkg, name string
	test      bool
	file      *ast.File
	fset      *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		all = append(all, source{path.Dir(rel), rel, strings.HasSuffix(rel, "_test.go"), f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found: is the test in its place?")
	}
	return all
}

func imports(f *ast.File) []string {
	var paths []string
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, p)
	}
	return paths
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		allowed, known := rules[s.pkg]
		if !known {
			t.Errorf("%s: package %s has no row in test/layers: give it one, and a line in docs/architecture.md", s.name, s.pkg)
			continue
		}
		if s.test {
			continue // tests may stand on real parts of other packages
		}
		for _, p := range imports(s.file) {
			local, ours := strings.CutPrefix(p, module)
			if ours && local != s.pkg && !slices.Contains(allowed, local) {
				t.Errorf("%s imports %s, which package %s may not", s.name, local, s.pkg)
			}
			if p == "database/sql" && !slices.Contains(sqlPackages, s.pkg) {
				t.Errorf("%s imports database/sql: only %v speaks SQL", s.name, sqlPackages)
			}
			first, _, _ := strings.Cut(p, "/")
			except, some := exceptThirdParty[s.pkg]
			if strings.Contains(first, ".") && !ours && first != "golang.org" && slices.Contains(noThirdParty, s.pkg) && !(some && strings.HasPrefix(p, except)) {
				t.Errorf("%s imports %s: package %s stands on the standard library and golang.org/x", s.name, p, s.pkg)
			}
		}
	}
}

// TestServerHasNoPrivateKeys: server code can't call a private-key function of
// pgp, because it names none of them.
func TestServerHasNoPrivateKeys(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || s.pkg != "mta" && s.pkg != "mta/queue" && s.pkg != "web" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "pgp" && !slices.Contains(serverPGP, sel.Sel.Name) {
				t.Errorf("%s: server code uses pgp.%s; it may use %v", s.fset.Position(sel.Pos()), sel.Sel.Name, serverPGP)
			}
			return true
		})
	}
}

// direct is what opens connections or asks DNS by itself.
var direct = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "Dialer", "DefaultResolver", "Resolver", "LookupHost", "LookupIP", "LookupAddr",
		"LookupCNAME", "LookupMX", "LookupNS", "LookupSRV", "LookupTXT", "ResolveTCPAddr", "ResolveUDPAddr", "ResolveIPAddr"},
	"tls":        {"Dial", "DialWithDialer", "Dialer"},
	"http":       {"Get", "Head", "Post", "PostForm", "DefaultClient"},
	"imapclient": {"DialTLS", "DialStartTLS", "DialInsecure"},
	"smtp":       {"Dial", "DialTLS", "DialStartTLS", "SendMail"},
}

// TestGatewayDialsInOnePlace: a gateway behind a proxy can't connect past it, because
// one file alone opens connections, another asks DNS only where there is no proxy, and
// a third has a Unix socket.
func TestGatewayDialsInOnePlace(t *testing.T) {
	t.Parallel()
	mayDial := []string{"gateway/proxy.go", "cmd/restante/gatewayaccount.go", "cmd/restante/gatewayconsole.go"}
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.name, "gateway/") && !strings.HasPrefix(s.name, "cmd/restante/gateway") || slices.Contains(mayDial, s.name) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(direct[x.Name], sel.Sel.Name) {
				t.Errorf("%s: %s.%s goes past the user's proxy: use Upstream", s.fset.Position(sel.Pos()), x.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// TestEveryRuleIsUsed keeps the table honest when a package goes away.
func TestEveryRuleIsUsed(t *testing.T) {
	t.Parallel()
	for pkg := range rules {
		if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(pkg))); err != nil {
			t.Errorf("test/layers has a row for %s, which is not there", pkg)
		}
	}
}

// TestFileSize holds the one measure that reviews forget: a file over 500 lines
// is split by concept.
func TestFileSize(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if n := s.fset.File(s.file.FileStart).LineCount(); n > 500 {
			t.Errorf("%s has %d lines: split it by concept", s.name, n)
		}
	}
}

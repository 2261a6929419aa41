package web

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// TestEveryOutcomeIsTold reads the sources, so that nobody forgets the row of a new
// error.
func TestEveryOutcomeIsTold(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("status.go")
	if err != nil {
		t.Fatal(err)
	}
	for file, prefix := range map[string]string{"../mailbox/errors.go": "mailbox.", "status.go": "", "token/token.go": "token."} {
		names := errorNames(t, file)
		if len(names) < 3 {
			t.Errorf("%s declares %d errors: is the test in its place?", file, len(names))
		}
		for _, name := range names {
			if !strings.Contains(string(table), "\t{"+prefix+name+", http.Status") {
				t.Errorf("%s%s has no row in status.go", prefix, name)
			}
		}
	}
}

// errorNames lists the variables of a file that hold errors.
func errorNames(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			if name := spec.(*ast.ValueSpec).Names[0].Name; strings.HasPrefix(strings.ToLower(name), "err") {
				names = append(names, name)
			}
		}
	}
	return names
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &Server{o: Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Signup: &Signup{}}}
	tests := []struct {
		name  string
		err   error
		code  int
		says  string
		retry time.Duration
	}{
		{"wrapped", fmt.Errorf("login: %w", mailbox.ErrAuth), http.StatusForbidden, "wrong", 0},
		{"throttled", mailbox.ErrThrottled, http.StatusTooManyRequests, "Wait", 5 * time.Minute},
		{"early", &earlyError{left: 1500 * time.Millisecond}, http.StatusTooManyRequests, "2 seconds", 1500 * time.Millisecond},
		{"very early", &earlyError{left: 181 * time.Second}, http.StatusTooManyRequests, "4 minutes", 181 * time.Second},
		{"unknown", errors.New("a loose thread"), http.StatusInternalServerError, "under ", 0},
		{"our fault", fmt.Errorf("%w: row 7", mailbox.ErrCorrupt), http.StatusInternalServerError, "under ", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.statusOf(tt.err)
			if got.code != tt.code || !strings.Contains(got.text, tt.says) || got.retry != tt.retry {
				t.Errorf("got %+v, want %d, %q, %v", got, tt.code, tt.says, tt.retry)
			}
			if strings.Contains(got.text, "thread") || strings.Contains(got.text, "row 7") {
				t.Errorf("the text of the error leaves the process: %s", got.text)
			}
		})
	}
	for _, want := range []string{"a loose thread", "row 7"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

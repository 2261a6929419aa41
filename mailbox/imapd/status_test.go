package imapd

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// domainErrors are the outcomes of package mailbox by name. A new one has to be
// added here, and gets its answer in status.go.
var domainErrors = map[string]error{
	"ErrAuth": mailbox.ErrAuth, "ErrThrottled": mailbox.ErrThrottled, "ErrBusy": mailbox.ErrBusy, "ErrDisabled": mailbox.ErrDisabled,
	"ErrNoAccount": mailbox.ErrNoAccount, "ErrNoMailbox": mailbox.ErrNoMailbox, "ErrExists": mailbox.ErrExists, "ErrName": mailbox.ErrName,
	"ErrInbox": mailbox.ErrInbox, "ErrHasChildren": mailbox.ErrHasChildren, "ErrOverQuota": mailbox.ErrOverQuota,
	"ErrTooLarge": mailbox.ErrTooLarge, "ErrLimit": mailbox.ErrLimit, "ErrMayNot": mailbox.ErrMayNot, "ErrRefused": mailbox.ErrRefused, "ErrGone": mailbox.ErrGone,
	"ErrFull": mailbox.ErrFull, "ErrUnknown": mailbox.ErrUnknown, "ErrClosed": mailbox.ErrClosed, "ErrCorrupt": mailbox.ErrCorrupt,
}

func TestEveryOutcomeIsTold(t *testing.T) {
	t.Parallel()
	c := &conn{srv: New(Options{})}
	for _, name := range declaredErrors(t) {
		err, ok := domainErrors[name]
		if !ok {
			t.Errorf("mailbox.%s is new: add it to this test, and to status.go", name)
			continue
		}
		got := c.statusOf(fmt.Errorf("command: %w", err))
		if got.typ != imap.StatusResponseTypeNo || got.code == "" || got.code == imap.ResponseCodeServerBug {
			t.Errorf("mailbox.%s is told as %s [%s] %s", name, got.typ, got.code, got.text)
		}
	}
}

// declaredErrors lists the errors that package mailbox declares.
func declaredErrors(t *testing.T) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Err") {
			names = append(names, spec.Names[0].Name)
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("no errors found")
	}
	return names
}

// An error that nobody knows is told by a number; its text stays in the log.
func TestUnknownErrorIsNotTold(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c := &conn{srv: New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})}
	s := c.statusOf(errors.New("open /srv/mail.db: disk on fire"))
	reference := s.text[strings.LastIndex(s.text, " ")+1:]
	if s.code != imap.ResponseCodeServerBug || strings.Contains(s.text, "mail.db") {
		t.Errorf("told: [%s] %s", s.code, s.text)
	}
	if !strings.Contains(log.String(), "reference="+reference) || !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("log does not explain %q: %s", reference, log.String())
	}
}

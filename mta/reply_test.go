package mta

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/mailbox"
)

// domainErrors are the outcomes of package mailbox, with the codes of a command
// and of AUTH.
var domainErrors = map[string]struct {
	err           error
	command, auth string
}{
	"ErrAuth":        {mailbox.ErrAuth, "535 5.7.8", "535 5.7.8"},
	"ErrThrottled":   {mailbox.ErrThrottled, "450 4.7.1", "454 4.7.0"},
	"ErrBusy":        {mailbox.ErrBusy, "451 4.3.2", "454 4.7.0"},
	"ErrDisabled":    {mailbox.ErrDisabled, "550 5.2.1", "525 5.7.13"},
	"ErrNoAccount":   {mailbox.ErrNoAccount, "550 5.1.1", "550 5.1.1"},
	"ErrNoMailbox":   {mailbox.ErrNoMailbox, "451 4.3.0", "451 4.3.0"},
	"ErrExists":      {mailbox.ErrExists, "451 4.3.0", "451 4.3.0"},
	"ErrName":        {mailbox.ErrName, "451 4.3.0", "451 4.3.0"},
	"ErrInbox":       {mailbox.ErrInbox, "451 4.3.0", "451 4.3.0"},
	"ErrHasChildren": {mailbox.ErrHasChildren, "451 4.3.0", "451 4.3.0"},
	"ErrOverQuota":   {mailbox.ErrOverQuota, "452 4.2.2", "452 4.2.2"},
	"ErrTooLarge":    {mailbox.ErrTooLarge, "552 5.3.4", "552 5.3.4"},
	"ErrLimit":       {mailbox.ErrLimit, "451 4.3.0", "451 4.3.0"},
	"ErrMayNot":      {mailbox.ErrMayNot, "451 4.3.0", "451 4.3.0"},
	"ErrRefused":     {mailbox.ErrRefused, "523 5.7.10", "523 5.7.10"},
	"ErrGone":        {mailbox.ErrGone, "451 4.3.0", "451 4.3.0"},
	"ErrFull":        {mailbox.ErrFull, "452 4.3.1", "452 4.3.1"},
	"ErrUnknown":     {mailbox.ErrUnknown, "451 4.3.0", "451 4.3.0"},
	"ErrClosed":      {mailbox.ErrClosed, "421 4.3.2", "421 4.3.2"},
	"ErrCorrupt":     {mailbox.ErrCorrupt, "451 4.3.0", "451 4.3.0"},
}

func TestEveryOutcomeOfTheDomainHasAReply(t *testing.T) {
	t.Parallel()
	for _, name := range errorNames(t, "../mailbox/errors.go") {
		want, ok := domainErrors[name]
		if !ok {
			t.Errorf("mailbox.%s is not in this test; give it a row in reply.go and here", name)
			continue
		}
		if !slices.ContainsFunc(outcomes, func(o outcome) bool { return o.err == want.err }) {
			t.Errorf("mailbox.%s has no row in reply.go", name)
		}
		wrapped := fmt.Errorf("deliver to somebody@here.example: %w", want.err)
		for got, want := range map[reply]string{replyTo(wrapped, outcomes): want.command, replyTo(wrapped, loginOutcomes, outcomes): want.auth} {
			if line := string(got.append(nil)); !strings.HasPrefix(line, want+" ") || strings.Contains(line, "somebody") {
				t.Errorf("mailbox.%s: got %q, want %s", name, line, want)
			}
		}
	}
}

// errorNames lists the package variables of a file.
func errorNames(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			names = append(names, spec.Names[0].Name)
		}
		return true
	})
	if len(names) < 15 {
		t.Fatalf("found only %q", names)
	}
	return names
}

func TestRepliesAreWellFormed(t *testing.T) {
	t.Parallel()
	all := slices.Concat(outcomes, loginOutcomes)
	for text, r := range rewords {
		all = append(all, outcome{errors.New(text), r})
	}
	for _, o := range all {
		for line := range strings.SplitSeq(o.reply.text, "\n") {
			if line == "" || len(line) > 200 || printable(line) != line {
				t.Errorf("%v: line %q", o.err, line)
			}
		}
		if o.reply.code/100 != o.reply.enhanced[0] {
			t.Errorf("%v: %d does not go with %v", o.err, o.reply.code, o.reply.enhanced)
		}
	}
}

// What was not foreseen becomes one reply, which tells nothing.
func TestUnknownErrorsStayInside(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("sqlite: disk I/O error at /var/lib/restante"),
		&smtp.SMTPError{Code: 250, Message: "all is well"},
		fmt.Errorf("%w: %w", errors.New("x"), errors.New("y")),
	} {
		if got := replyTo(err, loginOutcomes, outcomes); got != replyInternal {
			t.Errorf("%v: got %v", err, got)
		}
	}
}

func TestGateReply(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500)
	for reason, want := range map[string]string{
		"not encrypted: the message is plain text; encrypt it": gateText + "the message is plain text; encrypt it",
		"not encrypted: bad: worse":                            gateText + "bad: worse",
		"no":                                                   gateText + "no",
		"no\r\n250 ok":                                         gateText + "no??250 ok",
		"not encrypted: " + long:                               (gateText + long)[:200-len("523 5.7.10 ")],
	} {
		refusal := fmt.Errorf("receive: %w", fmt.Errorf("%w: %w", mailbox.ErrRefused, errors.New(reason)))
		if got := string(replyTo(refusal, outcomes).append(nil)); got != "523 5.7.10 "+want+"\r\n" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := replyTo(mailbox.ErrRefused, outcomes); got.text != gateText+gateAdvice {
		t.Errorf("without a reason: got %q", got.text)
	}
	if !strings.Contains(strings.ToLower(gateText), "invalid unencrypted mail") {
		t.Error("Delta Chat would not recognise the reply")
	}
}

func TestReplyRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range []reply{
		replyKept, replyBye, {250, smtp.NoEnhancedCode, "here\nSIZE 10\nAUTH PLAIN"}, {354, smtp.NoEnhancedCode, "go"},
		{334, smtp.NoEnhancedCode, ""}, {550, smtp.EnhancedCode{5, 1, 10}, "a\nb"}, {250, smtp.NoEnhancedCode, "1.2 is no code"},
	} {
		line := r.append(nil)
		if end := endOfReply(line); end != len(line) {
			t.Errorf("%q ends at %d", line, end)
		}
		got := parseReply(line)
		got.text = strings.ReplaceAll(got.text, "5.1.10 ", "") // the engine has the code on the last line only
		if got != r {
			t.Errorf("got %v, want %v", got, r)
		}
	}
}

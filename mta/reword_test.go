package mta

import (
	"go/build"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

// The texts that are put into other words are the engine's. This fails when a
// new version of it changes one, which then would reach clients as it is.
func TestEngineSaysWhatIsReworded(t *testing.T) {
	t.Parallel()
	pkg, err := build.Import("github.com/emersion/go-smtp", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, file := range []string{"conn.go", "server.go"} {
		text, err := os.ReadFile(filepath.Join(pkg.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	texts := []string{echoHello, echoMail, echoRcpt, echoUnknown, chunkTaken, resetDone, tooLarge}
	for text := range rewords {
		texts = append(texts, text)
	}
	for _, text := range texts {
		if !strings.Contains(string(source), `"`+text) {
			t.Errorf("the engine does not say %q", text)
		}
	}
}

// Whatever the engine repeats of what a client said stays with the server.
func TestNothingIsRepeated(t *testing.T) {
	t.Parallel()
	w := &wire{server: &endpoint{hostname: "mail.here.example"}}
	for _, r := range []reply{
		{250, smtp.NoEnhancedCode, "Hello client.example"},
		{250, smtp.NoEnhancedCode, "Hello client.example\nPIPELINING\nSIZE"},
		{250, smtp.EnhancedCode{2, 0, 0}, "Roger, accepting mail from <client.example>"},
		{250, smtp.EnhancedCode{2, 0, 0}, "I'll make sure <client.example> gets this"},
		{500, smtp.EnhancedCode{5, 5, 2}, "Syntax errors, client.example command unrecognized"},
	} {
		if got := w.reword(r); got.code != r.code || strings.Contains(got.text, "client.example") {
			t.Errorf("%q: got %v", r.text, got)
		}
	}
}

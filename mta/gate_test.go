package mta

import (
	"bytes"
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// corpus holds what the gate of package pgp is tested with.
const corpus = "../pgp/testdata/gate/"

// Real mail of many programs comes in through the gate, and what is stored has
// nothing in its header that the table in header.go does not list, the body that
// was sent, and would pass the gate again.
func TestRealMailPasses(t *testing.T) {
	t.Parallel()
	r := newRelay(t, func(o *Options) { o.Gate = gate })
	for i, file := range corpusFiles(t, "pass/*.eml") {
		sent := read(t, file)
		if code, text := bring(t, r, sent); code != 250 {
			t.Errorf("%s: %d %s", file, code, text)
			return
		}
		all, err := r.inbox(t.Context(), "bert")
		if err != nil || len(all) != i+1 {
			t.Fatalf("%s: %d messages, %v", file, len(all), err)
		}
		stored := all[i]
		header, body := stored[:blockEnd(stored, 0)], stored[blockEnd(stored, 0):]
		if !bytes.Equal(body, sent[blockEnd(sent, 0):]) {
			t.Errorf("%s: the body was changed", file)
		}
		for f := range mime.Fields(header) {
			if ruleFor(f.Name, true) == nil {
				t.Errorf("%s: %q is stored", file, f.Raw)
			}
		}
		if err := pgp.Inspect(bytes.NewReader(stored), pgp.InspectOptions{NullSender: true, SecureJoin: true}); err != nil {
			t.Errorf("%s: what is stored is no longer what passed: %v", file, err)
		}
	}
}

// What only looks encrypted is refused for good, and nothing of it is kept.
func TestPlaintextInDisguiseIsRefused(t *testing.T) {
	t.Parallel()
	r := newRelay(t, func(o *Options) { o.Gate = gate })
	for _, file := range corpusFiles(t, "refuse/*.eml") {
		code, text := bring(t, r, read(t, file))
		if line := fmt.Sprint(code, " ", text); code/100 != 5 || len(line) >= 200 || strings.Contains(line, "\n") {
			t.Errorf("%s: %q, want one line that says it all in less than 200 characters", file, line)
		}
	}
	if all, err := r.inbox(t.Context(), "bert"); err != nil || len(all) > 0 {
		t.Errorf("%d messages, %v", len(all), err)
	}
}

func corpusFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(corpus + pattern)
	if err != nil || len(files) < 10 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// bring gives a message to the MX listener for bert, byte for byte by BDAT, and
// returns the reply. Reports come with the null sender.
func bring(t *testing.T, r *relay, message []byte) (code int, text string) {
	t.Helper()
	nc, err := r.dial(t.Context(), "mx")
	if err != nil {
		t.Fatal(err)
	}
	c := textproto.NewConn(nc)
	defer c.Close()
	from := "zoe@there.example"
	if bytes.Contains(message, []byte("multipart/report")) {
		from = ""
	}
	talk := []string{"", "EHLO client.example", "MAIL FROM:<" + from + ">", "RCPT TO:<bert@here.example>",
		fmt.Sprintf("BDAT %d LAST\r\n%s", len(message), strings.TrimSuffix(string(message), "\r\n"))}
	for i, line := range talk {
		if last := i == len(talk)-1; last && !bytes.HasSuffix(message, crlf) {
			t.Fatal("the message has no last line end")
		}
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		code, text, err = c.ReadResponse(0)
		if err != nil {
			t.Fatal(err)
		}
	}
	return code, text
}

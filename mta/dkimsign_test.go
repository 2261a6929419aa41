package mta

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// records answers questions for TXT records as DNS would.
func (k *DKIMKeys) records(t *testing.T) func(string) ([]string, error) {
	t.Helper()
	list, err := k.Records()
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) ([]string, error) {
		for _, r := range list {
			if name == r.Name+".here.example" {
				return []string{r.Value}, nil
			}
		}
		return nil, fmt.Errorf("no record %s", name)
	}
}

func testKeys(t *testing.T) *DKIMKeys {
	t.Helper()
	keys, err := OpenDKIMKeys(filepath.Join(t.TempDir(), "dkim"), noon)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// bodies are what canonical forms can get wrong.
var dkimBodies = map[string]string{
	"usual":              "Hello,\r\n\r\nthis is it.\r\n",
	"none":               "",
	"empty lines":        "\r\n\r\n\r\n",
	"spaces alone":       "  \r\n \t \r\n",
	"empty at the end":   "a\r\n\r\n\r\n",
	"spaces":             "a  b\t \tc \r\n d\r\n",
	"no end of line":     "a\r\nb",
	"space before end":   "a\r\nb ",
	"empty in between":   "a\r\n \r\n\r\nb\r\n",
	"longer than buffer": strings.Repeat("0123456789 abc\r\n", 1000),
}

// TestSignVerifies: another implementation finds our signatures good, whatever the
// body looks like.
func TestSignVerifies(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	for name, body := range dkimBodies {
		text := "From: <anna@here.example>\r\nTo: <zoe@there.example>,\r\n\t<yan@there.example>\r\nSubject:   [...]  \r\n" +
			"Message-ID: <1@here.example>\r\nReferences: <0@there.example>\r\n\r\n" + body
		for _, r := range []string{"whole", "byte by byte"} {
			in := strings.NewReader(text)
			header, err := keys.Sign("here.example", in)
			if r == "byte by byte" {
				header, err = keys.Sign("here.example", iotest.OneByteReader(strings.NewReader(text)))
			}
			if err != nil {
				t.Fatal(err)
			}
			checkSignatures(t, keys, name, string(header)+text, 2, true)
		}
	}
}

// checkSignatures verifies a message, and wants so many signatures to be good or bad.
func checkSignatures(t *testing.T, keys *DKIMKeys, name, text string, count int, good bool) {
	t.Helper()
	found, err := dkim.VerifyWithOptions(strings.NewReader(text), &dkim.VerifyOptions{LookupTXT: keys.records(t)})
	if err != nil || len(found) != count {
		t.Fatalf("%s: got %d signatures and %v, want %d", name, len(found), err, count)
	}
	for _, v := range found {
		if (v.Err == nil) != good || v.Domain != "here.example" {
			t.Errorf("%s: a signature of %s: %v, want it good: %v\n%s", name, v.Domain, v.Err, good, text)
		}
	}
}

// TestSignGuards: what was signed can't be changed, nor a field be added.
func TestSignGuards(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	text := "From: <anna@here.example>\r\nTo: <zoe@there.example>\r\nMessage-ID: <1@here.example>\r\n\r\nHello.\r\n"
	header, err := keys.Sign("here.example", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	signed := string(header) + text
	for name, forged := range map[string]string{
		"another body":    strings.Replace(signed, "Hello.", "Hello!", 1),
		"more body":       signed + "P.S.\r\n",
		"another from":    strings.Replace(signed, "anna@", "bert@", 1),
		"a second from":   "From: <bert@here.example>\r\n" + signed,
		"a subject":       "Subject: buy\r\n" + signed,
		"a content type":  strings.Replace(signed, "To: ", "Content-Type: text/html\r\nTo: ", 1),
		"a second id":     "Message-ID: <2@here.example>\r\n" + signed,
		"another subject": "Reply-To: <bert@here.example>\r\n" + signed,
	} {
		checkSignatures(t, keys, name, forged, 2, false)
	}
	checkSignatures(t, keys, "a trace field", "Received: from there\r\n"+signed, 2, true)
}

// TestSignTellsNoTime: a message signed twice is the same, but for the key's own
// chance, and no signature says when it was made.
func TestSignTellsNoTime(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	text := "From: <anna@here.example>\r\n\r\nHello.\r\n"
	first, err := keys.Sign("here.example", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	second, err := keys.Sign("here.example", strings.NewReader(text))
	if err != nil || string(first) != string(second) {
		t.Errorf("two signatures of one message differ: %v\n%s\n%s", err, first, second)
	}
	for _, tag := range []string{" t=", ";t=", " x=", ";x=", " i=", "l="} {
		if strings.Contains(string(first), tag) {
			t.Errorf("the signature has %q in it:\n%s", tag, first)
		}
	}
	for line := range strings.Lines(string(first)) {
		if len(line) > 120 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// TestKeyFolder: keys are made once, read back, and rotated without forgetting the
// old ones.
func TestKeyFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dkim")
	first, err := OpenDKIMKeys(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenDKIMKeys(dir, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	text := "From: <anna@here.example>\r\n\r\nHello.\r\n"
	header, err := again.Sign("here.example", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	checkSignatures(t, first, "read back", string(header)+text, 2, true)
	rotated, err := RotateDKIMKeys(dir, noon.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	checkSignatures(t, rotated, "an old key", string(header)+text, 2, true)
	if records, err := rotated.Records(); err != nil || len(records) != 4 {
		t.Errorf("got %d records and %v, want 4", len(records), err)
	}
	header, err = rotated.Sign("here.example", strings.NewReader(text))
	if err != nil || strings.Contains(string(header), first.signing[0].selector) {
		t.Errorf("it is the old key that signs: %v\n%s", err, header)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", e.Name(), info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "r0.pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDKIMKeys(dir, noon); err == nil || !strings.Contains(err.Error(), "r0.pem") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

package mta

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// strictly and openly are the two columns of the table in header.go.
func strictly() rewriter { return rewriter{policy: asAnna(), gated: true, now: noon} }
func openly() rewriter   { return rewriter{policy: asAnna(), now: noon} }

// whole is what every test of single fields needs besides them.
const whole = "From: anna@here.example\r\nDate: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <1@here.example>\r\n"

func TestFields(t *testing.T) {
	t.Parallel()
	const same = "same"
	key := "xsBNBGAAAAABCAC7"
	tests := []struct {
		name, field    string
		strict, openly string // "" is dropped
	}{
		{"Received", "Received: from [192.0.2.1] by here", "", ""},
		{"Return-Path", "Return-Path: <anna@here.example>", "", ""},
		{"User-Agent", "User-Agent: Mutt/2.2", "", ""},
		{"X-Mailer", "X-Mailer: Outlook 16", "", ""},
		{"X-Originating-IP", "X-Originating-IP: 192.0.2.1", "", ""},
		{"Bcc", "Bcc: zoe@there.example", "", ""},
		{"Sender", "Sender: bert@here.example", "", ""},
		{"Resent-From", "Resent-From: zoe@there.example", "", ""},
		{"unknown", "X-New-Idea: what I always wanted to say", "", ""},
		{"DKIM", "DKIM-Signature: v=1", "", ""},
		{"subject", "Subject: secret plans", "Subject: [...]", same},
		{"subject in capitals", "SUBJECT: secret plans", "SUBJECT: [...]", same},
		{"subject, folded", "Subject: secret\r\n plans", "Subject: [...]", same},
		{"placeholder", "Subject: [...]", same, same},
		{"Thunderbird's placeholder", "Subject: ...", "Subject: [...]", same},
		{"empty subject", "Subject:", "Subject: [...]", same},
		{"To with name", "To: \"Bert\" <bert@here.example>", "To: bert@here.example", same},
		{"To without name", "To: bert@here.example", same, same},
		{"To, folded", "To: bert@here.example,\r\n zoe@there.example", same, same},
		{"To, many", "To: Bert <bert@here.example>, zoe@there.example (Zoe)", "To: bert@here.example,\r\n zoe@there.example", same},
		{"To, group", "To: The club: bert@here.example, Zoe <zoe@there.example>;", "To: bert@here.example,\r\n zoe@there.example", same},
		{"To, Delta Chat", `To: "hidden-recipients": ;`, same, same},
		{"To, undisclosed", "To: undisclosed-recipients:;", same, same},
		{"To, words", "To: meet me at noon:;", "To: undisclosed-recipients:;", same},
		{"To, no address", "To: meet me at noon", "To: undisclosed-recipients:;", same},
		{"Cc, quoted local part", `Cc: "a, b"@here.example`, same, same},
		{"Reply-To", "Reply-To: Anna <shadow@alias.example>", "Reply-To: shadow@alias.example", same},
		{"Reply-To, words", "Reply-To: nobody at all", "", same},
		{"date with zone", "Date: Mon, 2 Mar 2026 01:30:00 +0200 (CEST)", "Date: Sun, 01 Mar 2026 23:30:00 +0000", "Date: Sun, 01 Mar 2026 23:30:00 +0000"},
		{"date in UTC", "Date: Sun, 01 Mar 2026 23:30:00 +0000", same, same},
		{"message id", "Message-ID: <not an id> at all", same, same},
		{"threads", "References: <1@a>\r\n\t<2@b>", same, same},
		{"in reply to", "In-Reply-To: <1@a>", same, same},
		{"version", "MIME-Version: 1.0", same, same},
		{"version with program", "Mime-Version: 1.0 (Mac OS X Mail 16.0)", "Mime-Version: 1.0", "Mime-Version: 1.0"},
		{"content type", "Content-Type: multipart/encrypted;\r\n protocol=\"application/pgp-encrypted\"; boundary=b", same, same},
		{"encoding", "Content-Transfer-Encoding: 7bit", same, same},
		{"encoding with words", "Content-Transfer-Encoding: 7bit and more", "", same},
		{"description", "Content-Description: what I wanted to say", "", same},
		{"Chat-Version", "Chat-Version: 1.0", same, same},
		{"Chat-Version with words", "Chat-Version: one point zero", "", same},
		{"post-message", "Chat-Is-Post-Message: 1", same, same},
		{"other Chat field", "Chat-Group-Name: The club", "", same},
		{"Auto-Submitted", "Auto-Submitted: auto-replied", same, same},
		{"Auto-Submitted with words", "Auto-Submitted: auto-replied (I am away)", "", same},
		{"SecureJoin", "Secure-Join: vc-request", same, same},
		{"SecureJoin number", "Secure-Join-Invitenumber: aB_9-x", same, same},
		{"SecureJoin with words", "Secure-Join-Invitenumber: hello there", "", same},
		{"SecureJoin, long", "Secure-Join-Invitenumber: " + strings.Repeat("x", 65), "", same},
		{"Autocrypt", "Autocrypt: addr=anna@here.example; prefer-encrypt=mutual;\r\n keydata=" + key + "\r\n " + key, same, same},
		{"Autocrypt, words for a key", "Autocrypt: addr=anna@here.example; keydata=hello", "", same},
		{"Autocrypt, words for an address", "Autocrypt: addr=hello; keydata=" + key, "", same},
		{"Autocrypt, unknown attribute", "Autocrypt: addr=anna@here.example; note=hello; keydata=" + key, "", same},
		{"list", "List-Id: the club <club.there.example>", "", same},
		{"comments", "Comments: hello", "", same},
		{"priority", "X-Priority: 1", "", same},
		{"read receipt", "Disposition-Notification-To: anna@here.example", "", same},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for column, want := range map[*rewriter]string{{policy: fromOutside(), gated: true}: test.strict, {policy: fromOutside()}: test.openly} {
				got, err := column.rewrite([]byte("From: zoe@there.example\r\n" + test.field + "\r\n\r\n"))
				if err != nil {
					t.Fatal(err)
				}
				if want == same {
					want = test.field
				}
				if want != "" {
					want += "\r\n"
				}
				if diff := cmp.Diff("From: zoe@there.example\r\n"+want+"\r\n", string(got)); diff != "" {
					t.Errorf("gated %v (-want +got):\n%s", column.gated, diff)
				}
			}
		})
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, header string
		rewriter     rewriter
		want         string
		err          error
	}{
		{name: "name goes", header: "From: Anna B. <anna@here.example>", rewriter: strictly(), want: "From: anna@here.example"},
		{name: "name stays", header: "From: Anna B. <anna@here.example>", rewriter: openly(), want: "From: Anna B. <anna@here.example>"},
		{name: "alias", header: "From: shadow@alias.example", rewriter: openly(), want: "From: shadow@alias.example"},
		{name: "none", header: "To: bert@here.example", rewriter: openly(), err: errFromCount},
		{name: "two fields", header: "From: anna@here.example\r\nFrom: anna@here.example", rewriter: openly(), err: errFromCount},
		{name: "two addresses", header: "From: anna@here.example, shadow@alias.example", rewriter: openly(), err: errFromCount},
		{name: "no address", header: "From: Anna", rewriter: openly(), err: errFromCount},
		{name: "another", header: "From: bert@here.example", rewriter: openly(), err: errFrom},
		{name: "another, ours in the name", header: "From: \"anna@here.example\" <zoe@there.example>", rewriter: strictly(), err: errFrom},
		{name: "another in a comment", header: "From: anna@here.example (zoe@there.example)", rewriter: strictly(), want: "From: anna@here.example"},
		{name: "no address from outside", header: "From: mailer daemon", rewriter: rewriter{policy: fromOutside()}, err: errFromCount},
		{name: "ours from outside", header: "From: <anna@here.example>", rewriter: rewriter{policy: fromOutside()}, err: errForged},
		{name: "no field", header: "hello", rewriter: openly(), err: errHeaderSyntax},
		{name: "a body without a header", header: "dear all, this: is it", rewriter: openly(), err: errHeaderSyntax},
		{name: "continuation first", header: " x: y\r\nFrom: anna@here.example", rewriter: openly(), err: errHeaderSyntax},
		{name: "loop", header: strings.Repeat("Received: x\r\n", 31) + "From: anna@here.example", rewriter: openly(), err: errLoop},
		{name: "nearly a loop", header: strings.Repeat("Received: x\r\n", 30) + "From: anna@here.example", rewriter: strictly(), want: "From: anna@here.example"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const rest = "Date: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <1@here.example>\r\n\r\n"
			got, err := test.rewriter.rewrite([]byte(test.header + "\r\n" + rest))
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if test.err == nil && string(got) != test.want+"\r\n"+rest {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestMissingFields(t *testing.T) {
	t.Parallel()
	got, err := strictly().rewrite([]byte("From: shadow@alias.example\r\nDate: yesterday\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^From: shadow@alias\.example\r\nDate: Sun, 01 Mar 2026 12:00:00 \+0000\r\nMessage-ID: <[a-z2-7]{26}@alias\.example>\r\n\r\n$`)
	if !want.Match(got) {
		t.Errorf("got %q", got)
	}
	outside := rewriter{policy: fromOutside(), gated: true, now: noon}
	got, err = outside.rewrite([]byte("From: zoe@there.example\r\n\r\n"))
	if want := "From: zoe@there.example\r\n\r\n"; err != nil || string(got) != want {
		t.Errorf("from outside: got %q, %v; want %q", got, err, want)
	}
}

// A message that claims to be encrypted is treated strictly even without a gate.
func TestEncryptedIsStrictWithoutGate(t *testing.T) {
	t.Parallel()
	const encrypted = "Content-type: MULTIPART/(comment)Encrypted; boundary=b\r\n"
	got, err := openly().rewrite([]byte(whole + encrypted + "Subject: plans\r\n\r\n"))
	if want := whole + encrypted + "Subject: [...]\r\n\r\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestHeaderReader(t *testing.T) {
	t.Parallel()
	shout := func(block []byte) ([]byte, error) { return append([]byte("New: header\r\n"), block...), nil }
	large := "X: " + strings.Repeat("x", 5000) + "\r\n\r\n" + strings.Repeat("body\r\n", 3000)
	for name, message := range map[string]string{
		"body": "A: b\r\n\r\nbody\r\n\r\nmore\r\n", "no body": "A: b\r\n\r\n", "empty header": "\r\nbody\r\n", "large": large,
	} {
		for chunks, r := range chunkings(message) {
			got, err := io.ReadAll(&headerReader{r: r, rewrite: shout})
			if want := "New: header\r\n" + message; err != nil || string(got) != want {
				t.Errorf("%s, %s: got %q, %v", name, chunks, got, err)
			}
		}
	}
	for name, message := range map[string]string{"empty": "", "no blank line": "A: b\r\n"} {
		got, err := io.ReadAll(&headerReader{r: strings.NewReader(message), rewrite: shout})
		if want := "New: header\r\n" + message + "\r\n"; err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestHeaderReaderErrors(t *testing.T) {
	t.Parallel()
	pass := func(block []byte) ([]byte, error) { return block, nil }
	exact := "X: " + strings.Repeat("x", maxHeader-7) + "\r\n\r\n"
	lost := errors.New("lost")
	tests := map[string]struct {
		r    io.Reader
		want error
	}{
		"largest header":   {strings.NewReader(exact + "body"), nil},
		"too large":        {strings.NewReader("X" + exact), errHeaderSize},
		"endless":          {strings.NewReader(strings.Repeat("X: y\r\n", maxHeader)), errHeaderSize},
		"lost in header":   {io.MultiReader(strings.NewReader("A: b\r\n"), iotest.ErrReader(lost)), lost},
		"lost in the body": {io.MultiReader(strings.NewReader("A: b\r\n\r\nbody"), iotest.ErrReader(lost)), lost},
	}
	for name, test := range tests {
		h := &headerReader{r: test.r, rewrite: pass}
		for range 2 { // an error stays
			if _, err := io.Copy(io.Discard, h); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", name, err, test.want)
			}
		}
	}
}

// FuzzRewrite holds the rewriter to what its table promises, whatever it meets:
// no other field survives, nor does a word in a field that has no room for any;
// what is kept as it is stays as it is; and doing it twice changes nothing.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{
		"Subject: x\r\nTo: a <b@c>, d:;\r\n", "Bcc: x@y\r\n\tz\r\n", "Date: 1 Jan 2026 01:02 EST\r\n", "Autocrypt: addr=a@b; keydata=mDME\r\n",
		"To: \"a\\\"b\" <\"c d\"@e>\r\n", "MIME-Version : 1.0 (x)\r\n", "Reply-To: \xff@x\r\n", "Content-Type: text/plain\r\n", ":\r\n",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, fields []byte, gated bool) {
		block := append([]byte("From: zoe@there.example\r\n"), fields...)
		block = append(block, "\r\n\r\n"...)
		if !allowed(block, 1<<20) || blockEnd(block, 0) != len(block) {
			return
		}
		w := rewriter{policy: fromOutside(), gated: gated, now: noon}
		out, err := w.rewrite(block)
		if err != nil {
			return
		}
		if again, err := w.rewrite(out); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("twice: %q, %v; once: %q", again, err, out)
		}
		if !allowed(out, 1<<20) || blockEnd(out, 0) != len(out) {
			t.Fatalf("%q is no header block", out)
		}
		checkRewritten(t, block, out, gated || isEncrypted(block))
	})
}

// free are the fields that may hold any text, as they are.
var free = regexp.MustCompile(`(?i)^(message-id|in-reply-to|references|content-type)$`)

// bound is what the other fields of encrypted mail may look like.
var bound = map[string]*regexp.Regexp{
	"date":                      regexp.MustCompile(`^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$`),
	"subject":                   regexp.MustCompile(`^\[\.\.\.\]$`),
	"mime-version":              regexp.MustCompile(`^1\.0$`),
	"content-transfer-encoding": oneWord, "chat-version": oneWord, "chat-is-post-message": oneWord,
	"auto-submitted": oneWord, "secure-join": oneWord, "secure-join-invitenumber": oneWord,
	"autocrypt": regexp.MustCompile(`^((addr=[^ ;]+|prefer-encrypt=[a-z]+|keydata=[A-Za-z0-9+/= \t]+|addr="[^;]*);? *)+$`),
}

var oneWord = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkRewritten(t *testing.T, before, after []byte, strict bool) {
	t.Helper()
	for f := range mime.Fields(after) {
		name := strings.ToLower(f.Name)
		kept := bytes.Contains(before, f.Raw)
		switch {
		case ruleFor(name, strict) == nil:
			t.Errorf("%q survives", f.Raw)
		case !strict || free.MatchString(name):
			if !kept && name != "date" && name != "mime-version" {
				t.Errorf("%q was changed", f.Raw)
			}
		case name == "from" || name == "to" || name == "cc" || name == "reply-to":
			checkSpecs(t, f)
		case bound[name] == nil || !bound[name].MatchString(f.Value()):
			t.Errorf("%q has room for words", f.Raw)
		}
	}
}

// checkSpecs makes sure that a field has addresses in it, and nothing else.
func checkSpecs(t *testing.T, f mime.Field) {
	t.Helper()
	var specs []string
	for _, a := range mime.ParseAddressList(f.Value()) {
		if a.Name != "" {
			t.Errorf("%q has a name", f.Raw)
		}
		if spec, err := addressOf(a); err == nil {
			specs = append(specs, spec.String())
		}
	}
	isHidden := len(specs) == 0 && (f.Is("To") || f.Is("Cc"))
	if f.Value() != strings.Join(specs, ", ") && !isHidden {
		t.Errorf("%q is more than %q", f.Raw, specs)
	}
}

func BenchmarkRewrite(b *testing.B) {
	block := []byte(whole + "To: \"hidden-recipients\": ;\r\nSubject: [...]\r\nChat-Version: 1.0\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"1234567890\"\r\n\r\n")
	w := strictly()
	w.policy.own = []addr.Address{anna}
	b.ReportAllocs()
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		if _, err := w.rewrite(block); err != nil {
			b.Fatal(err)
		}
	}
}

package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

const testEntity = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nMeet me at noon.\r\n"

// testDraft returns a draft from alice to bob.
func testDraft(alice, bob *Key) Draft {
	return Draft{
		From: addr.MustParse("alice@example.org"),
		Header: []Field{
			{"From", "Alice Liddell <alice@example.org>"},
			{"To", "Bob <bob@example.org>"},
			{"Subject", "A very secret meeting"},
			{"Date", "Sun, 01 Nov 2026 12:00:00 +0000"},
			{"Message-ID", "<1@example.org>"},
			{"References", strings.TrimSpace(strings.Repeat("<some-earlier-message@example.org> ", 40))},
		},
		Entity:  strings.NewReader(testEntity),
		Certs:   []*Cert{bob.Cert(), alice.Cert()},
		Encrypt: EncryptOptions{Now: at(testTime)},
	}
}

func composeDraft(t testing.TB, k *Key, d Draft) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := k.Compose(&out, d); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestComposeOpen(t *testing.T) {
	t.Parallel()
	alice, bob := newTestKey(t, "alice@example.org", Hybrid), newTestKey(t, "bob@example.org", Hybrid)
	draft := testDraft(alice, bob)
	mail := composeDraft(t, alice, draft)
	if err := inspectBytes(mail, InspectOptions{}); err != nil {
		t.Errorf("our own gate refuses it: %v", err)
	}
	outside, _, _ := bytes.Cut(mail, []byte("-----BEGIN"))
	for _, secret := range []string{"Liddell", "Bob", "secret", "noon", "References", "earlier"} {
		if bytes.Contains(outside, []byte(secret)) {
			t.Errorf("%q stands outside the encryption", secret)
		}
	}
	for _, reader := range []*Key{alice, bob} {
		checkOpened(t, mail, reader, alice, draft)
	}
}

// checkOpened opens mail and compares it to the draft.
func checkOpened(t *testing.T, mail []byte, reader, sender *Key, d Draft) {
	t.Helper()
	var entity strings.Builder
	got, err := Open(&entity, bytes.NewReader(mail), DecryptOptions{Keys: []*Key{reader}, Certs: []*Cert{sender.Cert()}, Now: at(testTime)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Header, d.Header); diff != "" {
		t.Errorf("header: got - want +\n%s", diff)
	}
	if got.Signature != GoodSignature || got.Signer != sender.Fingerprint() || got.Misdirected || !got.Protected {
		t.Errorf("got %+v, protected %v", got.Result, got.Protected)
	}
	want := []Field{{"From", "<alice@example.org>"}, {"To", `"hidden-recipients": ;`}, {"Subject", "[...]"}, d.Header[3], d.Header[4]}
	if diff := cmp.Diff(got.OuterCopy, want); diff != "" {
		t.Errorf("copy of the outer header: got - want +\n%s", diff)
	}
	if got.Outer.Envelope.Subject != "[...]" || got.Outer.Envelope.From[0].Name != "" {
		t.Errorf("outer header: got %+v", got.Outer.Envelope)
	}
	if !strings.HasSuffix(entity.String(), "\r\n\r\nMeet me at noon.\r\n") {
		t.Errorf("got entity\n%s", entity.String())
	}
	if !strings.Contains(entity.String(), `charset=utf-8; protected-headers="v1"; hp="cipher"`) {
		t.Errorf("the header is not marked as protected in\n%s", entity.String())
	}
}

func TestComposeShape(t *testing.T) {
	t.Parallel()
	alice, bob := newTestKey(t, "alice@example.org", Classic), newTestKey(t, "bob@example.org", Classic)
	d := testDraft(alice, bob)
	d.To = []addr.Address{addr.MustParse("bob@example.org"), addr.MustParse("carol@example.org")}
	d.Outer = []Field{{"Chat-Version", "1.0"}}
	head, _, _ := strings.Cut(string(composeDraft(t, alice, d)), "Content-Type:")
	want := "From: <alice@example.org>\r\nTo: <bob@example.org>, <carol@example.org>\r\nSubject: [...]\r\n" +
		"Date: Sun, 01 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nChat-Version: 1.0\r\nMIME-Version: 1.0\r\n"
	if diff := cmp.Diff(head, want); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	alice, bob := newTestKey(t, "alice@example.org", Classic), newTestKey(t, "bob@example.org", Classic)
	broken := errors.New("disk error")
	tests := []struct {
		name   string
		change func(*Draft)
		want   error
	}{
		{"no sender", func(d *Draft) { d.From = addr.Address{} }, nil},
		{"no date", func(d *Draft) { d.Header = append(d.Header[:3:3], d.Header[4:]...) }, nil},
		{"header injection", func(d *Draft) { d.Header[2].Value = "x\r\nBcc: eve@example.org" }, nil},
		{"header injection by name", func(d *Draft) { d.Header[2].Name = "Subject: x\r\nBcc" }, nil},
		{"injection outside", func(d *Draft) { d.Outer = []Field{{"X", "a\nb"}} }, nil},
		{"content field in the header", func(d *Draft) { d.Header = append(d.Header, Field{"Content-Type", "text/html"}) }, nil},
		{"header field in the entity", func(d *Draft) { d.Entity = strings.NewReader("Subject: x\r\n\r\n") }, nil},
		{"broken entity", func(d *Draft) { d.Entity = io.MultiReader(strings.NewReader(testEntity), errorReader{broken}) }, broken},
		{"entity header without end", func(d *Draft) { d.Entity = strings.NewReader("Content-Type: " + strings.Repeat("x", maxEntityHeader)) }, nil},
		{"no recipient", func(d *Draft) { d.Certs = nil }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := testDraft(alice, bob)
			tt.change(&d)
			err := alice.Compose(io.Discard, d)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want an error %v", err, tt.want)
			}
		})
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// TestComposeWritesNothingForNobody checks the promise that nothing leaves if one recipient has no usable key.
func TestComposeWritesNothingForNobody(t *testing.T) {
	t.Parallel()
	alice := newTestKey(t, "alice@example.org", Classic)
	d := testDraft(alice, alice)
	d.Encrypt.Now = at(testTime.AddDate(-1, 0, 0)) // before the keys were made
	var out bytes.Buffer
	if err := alice.Compose(&out, d); err == nil || out.Len() > 0 {
		t.Errorf("got %v and %d octets, want an error and none", err, out.Len())
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	alice, bob := newTestKey(t, "alice@example.org", Classic), newTestKey(t, "bob@example.org", Classic)
	mail := string(composeDraft(t, alice, testDraft(alice, bob)))
	tests := []struct {
		name, mail string
		keys       []*Key
		want       error
	}{
		{"plain", "Subject: hi\r\n\r\nhello\r\n", []*Key{bob}, ErrNotMessage},
		{"one part", mail[:strings.Index(mail, "application/octet-stream")-len("--Content-Type: ")-30] + "\r\n", []*Key{bob}, ErrNotMessage},
		{"nobody's", mail, nil, ErrNoKey},
		{"recoded", strings.Replace(mail, "Content-Disposition: inline", "Content-Transfer-Encoding: base64\r\nContent-Disposition: inline", 1), []*Key{bob}, ErrNotMessage},
		{"damaged", replaceArmorLine(mail), []*Key{bob}, ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(io.Discard, strings.NewReader(tt.mail), DecryptOptions{Keys: tt.keys, Now: at(testTime)})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	_, err := Open(io.Discard, io.MultiReader(strings.NewReader(mail[:2000]), errorReader{io.ErrClosedPipe}), DecryptOptions{Keys: []*Key{bob}})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("broken source: got %v", err)
	}
}

// replaceArmorLine changes a line in the middle of the data.
func replaceArmorLine(mail string) string {
	lines := strings.Split(mail, "\r\n")
	at := len(lines) - 20
	lines[at] = strings.Repeat("A", len(lines[at]))
	return strings.Join(lines, "\r\n")
}

// TestOpenUnprotected checks that a header inside which is not marked as the mail's own is not taken for it.
func TestOpenUnprotected(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	for mark, want := range map[string]bool{"": false, `; hp="clear"`: false, `; hp="cipher"`: true, `; protected-headers="v1"`: true} {
		entity := "Subject: x\r\nContent-Type: text/plain" + mark + "\r\n\r\nhello\r\n"
		mail := pgpMIME(encryptText(t, entity, k, []*Cert{k.Cert()}, EncryptOptions{}))
		got, err := Open(io.Discard, bytes.NewReader(mail), DecryptOptions{Keys: []*Key{k}, Now: at(testTime)})
		if err != nil || got.Protected != want {
			t.Errorf("%q: got %v, %v, want %v", mark, got.Protected, err, want)
		}
	}
}

func TestHeadKeeper(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"A: b\r\n\r\nbody\r\n\r\n": "A: b\r\n",
		"A: b\n\nbody":             "A: b\n",
		"\r\nbody\r\n\r\n":         "",
		"A: b\r\n":                 "A: b\r\n",
		"":                         "",
	} {
		for piece := 1; piece <= len(input)+1; piece++ {
			var h headKeeper
			for rest := input; rest != ""; rest = rest[min(piece, len(rest)):] {
				fmt.Fprint(&h, rest[:min(piece, len(rest))])
			}
			if string(h.block) != want {
				t.Errorf("%q in pieces of %d: got %q, want %q", input, piece, h.block, want)
			}
		}
	}
}

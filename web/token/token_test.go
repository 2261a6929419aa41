package token_test

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/web/token"
)

// theKey and otherKey are made once: RSA keys take their time.
var theKey, otherKey = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	k, err := token.GenerateKey()
	if err != nil {
		panic(err)
	}
	return k
}

// issue takes a token all the way.
func issue(tb testing.TB, key *rsa.PrivateKey) token.Token {
	tb.Helper()
	p := token.New()
	request, err := p.Request(&key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	answer, err := token.Sign(key, request)
	if err != nil {
		tb.Fatal(err)
	}
	t, err := p.Finish(&key.PublicKey, answer)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	key := theKey()
	p := token.New()
	request, err := p.Request(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := token.Sign(key, request)
	if err != nil {
		t.Fatal(err)
	}
	// Days later, in another process, with the answer as a mail program broke it.
	p, err = token.ParsePending(p.Reveal() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Finish(&key.PublicKey, " "+answer[:70]+"\r\n"+answer[70:])
	if err != nil {
		t.Fatal(err)
	}
	got, err = token.Parse(got.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(&otherKey().PublicKey, &key.PublicKey); err != nil {
		t.Errorf("verify with the old key and the new: %v", err)
	}
	if err := got.Verify(&otherKey().PublicKey); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("verify with another key: %v, want ErrInvalid", err)
	}
	if err := got.Verify(); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("verify with no key: %v, want ErrInvalid", err)
	}
}

// TestRequestIsTheSame: the answer comes later, so that the blinding must be made
// of the seed again. This fails if the library or crypto/rand stops taking its
// chance from the reader that it is given.
func TestRequestIsTheSame(t *testing.T) {
	t.Parallel()
	p := token.New()
	first, err := p.Request(&theKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := p.Request(&theKey().PublicKey)
		if err != nil || again != first {
			t.Fatalf("another request, %v", err)
		}
	}
	other, err := token.New().Request(&theKey().PublicKey)
	if err != nil || other == first {
		t.Errorf("two users make one request, %v", err)
	}
}

// TestBlind: what the operator sees is no part of the token. Signing the same
// token for another blinding gives another request and another answer.
func TestBlind(t *testing.T) {
	t.Parallel()
	key := theKey()
	p := token.New()
	request, _ := p.Request(&key.PublicKey)
	answer, err := token.Sign(key, request)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Finish(&key.PublicKey, answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, seen := range []string{request, answer} {
		seen = seen[strings.LastIndex(seen, "-1-")+3:]
		for i := 0; i+12 <= len(seen); i++ {
			if strings.Contains(got.Reveal(), seen[i:i+12]) {
				t.Fatalf("the token has twelve characters in common with what the operator saw")
			}
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	key := theKey()
	good := issue(t, key).Reveal()
	request, _ := token.New().Request(&key.PublicKey)
	tests := []struct {
		name, text string
		want       error
	}{
		{"empty", "", token.ErrFormat},
		{"a request", request, token.ErrFormat},
		{"cut off", good[:len(good)-1], token.ErrFormat},
		{"too long", good + "AAAA", token.ErrFormat},
		{"another version", strings.Replace(good, "-1-", "-2-", 1), token.ErrFormat},
		{"much too long", strings.Repeat(" ", 3000) + good, token.ErrFormat},
		{"another message", flip(good, len("restante-token-1-")), token.ErrInvalid},
		{"another nonce", flip(good, len("restante-token-1-")+60), token.ErrInvalid},
		{"another signature", flip(good, len(good)-20), token.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := token.Parse(tt.text)
			if err == nil {
				err = got.Verify(&key.PublicKey)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// flip changes the character at i to another one of the alphabet.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestWrongAnswer(t *testing.T) {
	t.Parallel()
	p := token.New()
	request, err := p.Request(&theKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := token.Sign(otherKey(), request)
	if err == nil {
		_, err = p.Finish(&theKey().PublicKey, answer)
	}
	// By chance the request is above the other key's modulus, and not signed.
	if !errors.Is(err, token.ErrInvalid) && !errors.Is(err, token.ErrFormat) {
		t.Errorf("an answer by another key: %v", err)
	}
	if _, err := p.Finish(&theKey().PublicKey, request); !errors.Is(err, token.ErrFormat) {
		t.Errorf("the request in place of the answer: %v, want ErrFormat", err)
	}
	if _, err := token.Sign(theKey(), "restante-request-1-"+strings.Repeat("_", 341)+"8"); !errors.Is(err, token.ErrFormat) {
		t.Errorf("a number above the modulus: %v, want ErrFormat", err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	private, err := token.EncodeKey(theKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.ParseKey(private)
	if err != nil || !key.Equal(theKey()) {
		t.Errorf("the private key reads as another, %v", err)
	}
	var public []byte
	for _, k := range []*rsa.PrivateKey{theKey(), otherKey()} {
		b, err := token.EncodePublic(&k.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		public = append(public, b...)
	}
	keys, err := token.ParsePublic(public)
	if err != nil || len(keys) != 2 || !keys[0].Equal(&theKey().PublicKey) {
		t.Errorf("%d public keys, %v", len(keys), err)
	}
	if _, err := token.ParsePublic(private); err == nil {
		t.Error("a private key is taken for a public one")
	}
	if _, err := token.ParsePublic([]byte("nothing")); err == nil {
		t.Error("no key is taken for one")
	}
	if _, err := token.ParseKey(public); err == nil {
		t.Error("a public key is taken for a private one")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	p, issued := token.New(), issue(t, theKey())
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(format+format, p, issued); got != "[token][token]" {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

// FuzzParse: what parses prints the same, but for spaces.
func FuzzParse(f *testing.F) {
	f.Add(issue(f, theKey()).Reveal())
	f.Add("restante-token-1-AAAA")
	f.Add(token.New().Reveal())
	f.Fuzz(func(t *testing.T, text string) {
		squeezed := strings.Join(strings.Fields(text), "")
		if got, err := token.Parse(text); err == nil && got.Reveal() != squeezed {
			t.Errorf("%q prints as %q", text, got.Reveal())
		}
		if got, err := token.ParsePending(text); err == nil && got.Reveal() != squeezed {
			t.Errorf("%q prints as %q", text, got.Reveal())
		}
	})
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	a, b := issue(t, theKey()), issue(t, theKey())
	if a.ID() == b.ID() {
		t.Error("two tokens have one ID")
	}
	id := a.ID()
	if bytes.Contains([]byte(a.Reveal()), id[:]) {
		t.Error("the ID is part of the token")
	}
}

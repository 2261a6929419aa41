package mta

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// verified checks a message for signatures of there.example.
func verified(tb testing.TB, dns Resolver, message string) (bool, error) {
	tb.Helper()
	return verifiedFor(tb, dns, "there.example", strings.NewReader(message))
}

func verifiedFor(tb testing.TB, dns Resolver, domain string, message io.Reader) (bool, error) {
	tb.Helper()
	var check *dkimCheck
	counts := func(d string) bool { return d == domain }
	h := &headerReader{r: message, rewrite: func(b []byte) ([]byte, error) { return nil, nil }}
	h.survey = func(block []byte, body io.Reader) (io.Reader, error) {
		check = newDKIMCheck(block, counts, noon)
		return io.TeeReader(body, check), nil
	}
	if _, err := io.Copy(io.Discard, h); err != nil {
		tb.Fatal(err)
	}
	return check.passes(context.Background(), dns, counts)
}

var testRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

// foreignKeys returns keys of both kinds and a zone with their records under
// there.example, made in the ways of other programs.
func foreignKeys(tb testing.TB) (map[string]crypto.Signer, *zone) {
	tb.Helper()
	r, err := testRSA()
	if err != nil {
		tb.Fatal(err)
	}
	e := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	return map[string]crypto.Signer{"rsa": r, "ed": e}, &zone{txt: map[string][]string{
		"rsa._domainkey.there.example": {"p=" + base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&r.PublicKey))},
		"ed._domainkey.there.example":  {"v=DKIM1; k=ed25519; h=sha256 : sha1; s=email; p=" + base64.StdEncoding.EncodeToString(e.Public().(ed25519.PublicKey)) + ";"},
	}}
}

const unsigned = "From: Zoe <zoe@there.example>\r\nTo: <bert@here.example>,\r\n\t<anna@here.example>\r\nSubject:   [...]  \r\nX-Empty:\r\n"

// foreignSign signs as go-msgauth does.
func foreignSign(tb testing.TB, o dkim.SignOptions, message string) string {
	tb.Helper()
	var out strings.Builder
	if err := dkim.Sign(&out, strings.NewReader(message), &o); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// TestVerifyForeign: signatures of another implementation are good, in every form,
// and no more when something is changed.
func TestVerifyForeign(t *testing.T) {
	t.Parallel()
	keys, dns := foreignKeys(t)
	forms := []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed}
	for selector, key := range keys {
		for _, header := range forms {
			for _, body := range forms {
				for name, text := range dkimBodies {
					if strings.HasSuffix(text, " ") || name == "no end of line" {
						continue // no message comes out of SMTP so, and the library hashes it otherwise
					}
					signed := foreignSign(t, dkim.SignOptions{
						Domain: "there.example", Selector: selector, Signer: key, HeaderCanonicalization: header, BodyCanonicalization: body,
						HeaderKeys: []string{"From", "To", "Subject", "X-Empty", "X-None", "From"},
					}, unsigned+"\r\n"+text)
					if ok, err := verified(t, dns, signed); !ok || err != nil {
						t.Errorf("%s %s/%s, %s: got %v and %v", selector, header, body, name, ok, err)
					}
					for _, change := range [][2]string{{"Zoe", "Eve"}, {"X-Empty:", "X-Empty: x"}, {"\r\n\r\n", "\r\n\r\nx"}, {"\r\nTo:", "\r\nFrom: eve@there.example\r\nTo:"}} {
						if ok, err := verified(t, dns, strings.Replace(signed, change[0], change[1], 1)); ok || err != nil {
							t.Errorf("%s %s/%s, %s, with %q: got %v and %v", selector, header, body, name, change[1], ok, err)
						}
					}
				}
			}
		}
	}
}

// TestVerifyOwn: our own signatures are good, however the message comes in.
func TestVerifyOwn(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	dns := &zone{}
	dns.publish(t, keys, "there.example")
	for name, body := range dkimBodies {
		text := unsigned + "\r\n" + body
		header, err := keys.Sign("there.example", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		ok, err := verifiedFor(t, dns, "there.example", iotest.OneByteReader(strings.NewReader(string(header)+text)))
		if !ok || err != nil {
			t.Errorf("%s: got %v and %v", name, ok, err)
		}
	}
}

// football is the example of RFC 8463, appendix A.3.
const football = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n" +
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n" +
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n" +
	"From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner ready?\r\n" +
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n" +
	"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

func TestVerifyStandard(t *testing.T) {
	t.Parallel()
	dns := &zone{txt: map[string][]string{
		"brisbane._domainkey.football.example.com": {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
	}}
	for _, c := range []struct {
		name, old, new string
		want           bool
	}{
		{"as it stands", "", "", true},
		{"algorithm of another kind", "ed25519-sha256", "rsa-sha256", false},
		{"of a part of the body", "q=dns/txt", "l=1", false},
		{"other way to the key", "q=dns/txt", "q=dns/other", false},
		{"time past", "t=1528637909", "t=1; x=2", false},
		{"time to come", "t=1528637909", "x=99999999999", false}, // not what was signed
		{"From not signed", "h=from : to", "h=to", false},
		{"other version", "v=1", "v=2", false},
		{"weak hash", "ed25519-sha256", "ed25519-sha1", false},
		{"unknown form", "relaxed/relaxed", "relaxed/odd", false},
		{"tag twice", "q=dns/txt", "d=football.example.com", false},
		{"identity elsewhere", "i=@football.example.com", "i=@example.com", false},
	} {
		got, err := verifiedFor(t, dns, "football.example.com", strings.NewReader(strings.Replace(football, c.old, c.new, 1)))
		if got != c.want || err != nil {
			t.Errorf("%s: got %v and %v, want %v", c.name, got, err, c.want)
		}
	}
}

// TestSignaturesThatCount: only so many are looked at, and none of a foreign domain.
func TestSignaturesThatCount(t *testing.T) {
	t.Parallel()
	keys, dns := foreignKeys(t)
	o := dkim.SignOptions{Domain: "there.example", Selector: "ed", Signer: keys["ed"], HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed"}
	good := foreignSign(t, o, unsigned+"\r\nHello.\r\n")
	o.Selector = "none"
	bad, _, _ := strings.Cut(foreignSign(t, o, unsigned+"\r\nHello.\r\n"), "From: Zoe")
	foreign := strings.ReplaceAll(bad, "there.example", "where.example")
	for _, c := range []struct {
		before string
		want   bool
	}{
		{strings.Repeat(bad, maxSignatures-1), true}, {strings.Repeat(bad, maxSignatures), false}, {strings.Repeat(foreign, 100), true},
		{"DKIM-Signature: v=1; b=" + strings.Repeat(" ", maxSignature) + "\r\n", true},
	} {
		if got, err := verified(t, dns, c.before+good); got != c.want || err != nil {
			t.Errorf("%d bytes before: got %v and %v, want %v", len(c.before), got, err, c.want)
		}
	}
	for _, name := range dns.questions() {
		if strings.Contains(name, "where") {
			t.Errorf("asked for %s", name)
		}
	}
}

// TestVerifyWithoutDNS: when DNS does not answer, nothing is said.
func TestVerifyWithoutDNS(t *testing.T) {
	t.Parallel()
	keys, dns := foreignKeys(t)
	dns.broken = []string{"ed._domainkey.there.example"}
	signed := foreignSign(t, dkim.SignOptions{Domain: "there.example", Selector: "ed", Signer: keys["ed"]}, unsigned+"\r\nHello.\r\n")
	if ok, err := verified(t, dns, signed); ok || !errors.Is(err, errDNS) {
		t.Errorf("got %v and %v", ok, err)
	}
	if ok, err := verified(t, dns, signed+"x"); ok || err != nil {
		t.Errorf("a body that was changed: got %v and %v", ok, err)
	}
}

func TestDKIMRecord(t *testing.T) {
	t.Parallel()
	ed := "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	size := func(bits uint) string {
		n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
		return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: 65537}))
	}
	for _, c := range []struct {
		name, record string
		ok, exact    bool
	}{
		{name: "usual", record: "v=DKIM1; k=ed25519; p=" + ed, ok: true},
		{name: "blanks in the key", record: "k=ed25519; p=11qYAYKx CrfVS/7TyWQHOg7hcvPapiMl\trwIaaPcHURo=", ok: true},
		{name: "strict", record: "k=ed25519; t=s:x; p=" + ed, ok: true, exact: true},
		{name: "tried out", record: "k=ed25519; t=y:s; p=" + ed},
		{name: "withdrawn", record: "v=DKIM1; p="},
		{name: "no key", record: "v=DKIM1"},
		{name: "other version", record: "v=DKIM2; k=ed25519; p=" + ed},
		{name: "version not first", record: "k=ed25519; v=DKIM1; p=" + ed},
		{name: "not for mail", record: "k=ed25519; s=other; p=" + ed},
		{name: "for everything", record: "k=ed25519; s=other:*; p=" + ed, ok: true},
		{name: "weak hash", record: "k=ed25519; h=sha1; p=" + ed},
		{name: "unknown kind", record: "k=ed448; p=" + ed},
		{name: "short", record: "k=ed25519; p=" + ed[:20]},
		{name: "no base64", record: "k=ed25519; p=?"},
		{name: "512 bits", record: "p=" + size(512)},
		{name: "1023 bits", record: "p=" + size(1023)},
		{name: "1024 bits", record: "p=" + size(1024), ok: true},
		{name: "8192 bits", record: "k=rsa; p=" + size(8192), ok: true},
		{name: "16384 bits", record: "k=rsa; p=" + size(16384)},
		{name: "no tags", record: "hello"},
	} {
		key, err := parseDKIMRecord(c.record)
		if (err == nil) != c.ok || err == nil && key.exact != c.exact {
			t.Errorf("%s: got %+v and %v", c.name, key, err)
		}
	}
}

func TestStrictKey(t *testing.T) {
	t.Parallel()
	keys, dns := foreignKeys(t)
	dns.txt["ed._domainkey.there.example"][0] += " t=s"
	for identity, want := range map[string]bool{"": true, "zoe@there.example": true, "zoe@sub.there.example": false} {
		signed := foreignSign(t, dkim.SignOptions{Domain: "there.example", Selector: "ed", Signer: keys["ed"], Identifier: identity}, unsigned+"\r\nHello.\r\n")
		if ok, err := verified(t, dns, signed); ok != want || err != nil {
			t.Errorf("%q: got %v and %v, want %v", identity, ok, err, want)
		}
	}
}

// FuzzSignature: what is read of a signature is in it, and a header with it can be
// put into its canonical form.
func FuzzSignature(f *testing.F) {
	f.Add(football)
	f.Add("DKIM-Signature: v=1;a=rsa-sha256;d=a.b;s=c;h=from:from;bh=;b=\r\nFrom: a\r\n\r\n")
	f.Add("DKIM-Signature: v=1; b=b=;\r\n\tb\t=x\r\n")
	f.Fuzz(func(t *testing.T, message string) {
		header, body, _ := strings.Cut(message, "\r\n\r\n")
		c := newDKIMCheck([]byte(header+"\r\n\r\n"), func(string) bool { return true }, time.Unix(0, 0))
		if _, err := c.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		for _, s := range c.signatures {
			if first := c.sum(s.relaxed.body); !bytes.Equal(first, c.sum(s.relaxed.body)) {
				t.Error("the sum of the body is another one the second time")
			}
			if got := s.covered(c.header); len(got) > len(c.header)+2*len(s.field.Raw)+2 {
				t.Errorf("%d bytes are covered of %d", len(got), len(c.header))
			}
			if s.verify(dkimPublicKey{}, c.header) {
				t.Error("verified without a key")
			}
		}
	})
}

// FuzzTags: a list that was read and written again is the same list, and emptying
// one of its tags changes no other.
func FuzzTags(f *testing.F) {
	f.Add("v=DKIM1; k=rsa; p=MIG")
	f.Add(" v = DMARC1 ;p= reject;\tsp=none;")
	f.Add("a=1;;b=2")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseTags(s)
		_, _ = parseDKIMRecord(s)
		_, _ = parsePolicy(s, true)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, tag := range list {
			again.WriteString(tag.name + "=" + tag.value + ";")
		}
		second, err := parseTags(again.String())
		if err != nil || len(second) != len(list) {
			t.Fatalf("got %v and %v from %q", second, err, again.String())
		}
		for i, tag := range list {
			emptied, err := parseTags(withoutTag(s, tag.name))
			if err != nil || second[i] != tag || emptied.get(tag.name) != "" {
				t.Errorf("got %v and %v for %v", emptied, err, tag)
			}
			for _, other := range list {
				if other.name != tag.name && emptied.get(other.name) != other.value {
					t.Errorf("without %q the tag %v is %q", tag.name, other, emptied.get(other.name))
				}
			}
		}
	})
}

// The work for a message of 1 MiB with one good signature of each kind, DNS apart.
func BenchmarkVerify(b *testing.B) {
	keys, dns := foreignKeys(b)
	for selector, key := range keys {
		message := foreignSign(b, dkim.SignOptions{
			Domain: "there.example", Selector: selector, Signer: key, HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed",
		}, unsigned+"\r\n"+strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567\r\n", 1<<20/74))
		b.Run(selector, func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := verified(b, dns, message); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

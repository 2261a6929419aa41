package pgp

import (
	"bytes"
	"strings"
	"testing"
)

// pgpMIME returns a mail around armored data, as Thunderbird shapes it.
func pgpMIME(armor []byte) []byte {
	return []byte("From: <alice@example.org>\r\nTo: <bob@example.org>\r\nSubject: ...\r\nDate: Sun, 01 Nov 2026 12:00:00 +0000\r\n" +
		"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/encrypted;\r\n protocol=\"application/pgp-encrypted\";\r\n boundary=\"------------abc\"\r\n\r\n" +
		"This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\r\n" +
		"--------------abc\r\nContent-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version identification\r\n\r\n" +
		"Version: 1\r\n\r\n" +
		"--------------abc\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n" +
		"Content-Description: OpenPGP encrypted message\r\nContent-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n" +
		string(armor) + "\r\n--------------abc--\r\n")
}

// sealedMail returns an encrypted mail with n octets of text.
func sealedMail(t testing.TB, n int) []byte {
	k := newTestKey(t, "alice@example.org", Classic)
	return pgpMIME(encryptText(t, strings.Repeat("lorem ipsum ", n/12+1)[:n], k, []*Cert{k.Cert()}, EncryptOptions{}))
}

func inspectBytes(b []byte, o InspectOptions) error { return Inspect(bytes.NewReader(b), o) }

func TestInspectOwnMail(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000, 5000, 100_000} {
		mail := sealedMail(t, n)
		in := NewInspector(InspectOptions{Keep: []string{"Message-ID"}})
		if _, err := in.Write(mail); err != nil {
			t.Fatalf("%d octets: %v", n, err)
		}
		v, err := in.Close()
		if err != nil {
			t.Fatalf("%d octets: %v", n, err)
		}
		if want := (Verdict{Kind: Encrypted, Recipients: 1}); v != want {
			t.Errorf("got %+v, want %+v", v, want)
		}
		if m := in.Message(); m == nil || m.Size != int64(len(mail)) || len(m.Kept) != 1 || len(m.Root.Parts) != 2 {
			t.Errorf("got message %+v", m)
		}
	}
}

func BenchmarkInspect(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"4KiB", 2500}, {"1MiB", 740_000}} {
		b.Run(size.name, func(b *testing.B) {
			mail := sealedMail(b, size.n)
			b.SetBytes(int64(len(mail)))
			b.ReportAllocs()
			for b.Loop() {
				if err := inspectBytes(mail, InspectOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package mime

import (
	"bytes"
	"strings"
	"testing"
)

// pgpMail returns a PGP/MIME message as mail programs send it, with about size octets of armor.
func pgpMail(size int) []byte {
	return []byte("Return-Path: <joe@example.org>\r\nReceived: from relay.example.org by mx.example.net with ESMTPS;\r\n\tMon, 23 Nov 2026 14:08:00 +0000\r\n" +
		"From: <joe@example.org>\r\nTo: <jane@example.net>, <kim@example.com>\r\nDate: Mon, 23 Nov 2026 14:08:00 +0000\r\nMessage-ID: <0123456789abcdef@localhost>\r\n" +
		"In-Reply-To: <fedcba9876543210@localhost>\r\nReferences: <fedcba9876543210@localhost>\r\nSubject: [...]\r\nMIME-Version: 1.0\r\nChat-Version: 1.0\r\n" +
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n\tboundary=\"18da1d3f6ea0b0b5_4a2e\"\r\n\r\n\r\n--18da1d3f6ea0b0b5_4a2e\r\n" +
		"Content-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n--18da1d3f6ea0b0b5_4a2e\r\n" +
		"Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\nContent-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\n" +
		strings.Repeat(strings.Repeat("wcFMA/", 10)+"abcd\r\n", size/66) +
		"=abcd\r\n-----END PGP MESSAGE-----\r\n\r\n--18da1d3f6ea0b0b5_4a2e--\r\n")
}

type discard struct{}

func (discard) Header(*Part) error                 { return nil }
func (discard) Body(*Part, []byte) error           { return nil }
func (discard) Outside(*Part, Place, []byte) error { return nil }

// keepList is what Delta Chat asks for before it fetches a message.
var keepList = []string{"Message-ID", "Date", "X-Microsoft-Original-Message-ID", "From", "Content-Type", "Secure-Join",
	"Chat-Version", "Chat-Is-Post-Message", "Autocrypt-Setup-Message"}

func BenchmarkWalk(b *testing.B) {
	for _, bb := range []struct {
		name string
		size int
	}{{"4KiB", 3 << 10}, {"1MiB", 1 << 20}} {
		b.Run(bb.name, func(b *testing.B) {
			text := pgpMail(bb.size)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				w := NewWalker(Options{Visitor: discard{}, Keep: keepList})
				for chunk := range chunks(text, 32<<10) {
					if _, err := w.Write(chunk); err != nil {
						b.Fatal(err)
					}
				}
				if m, err := w.Close(); err != nil || len(m.Defects) > 0 || len(m.Root.Parts) != 2 {
					b.Fatal(m, err)
				}
			}
		})
	}
}

func chunks(b []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(size, len(b))
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

func benchmarkForm(b *testing.B) []byte {
	m, err := Walk(bytes.NewReader(pgpMail(3<<10)), Options{Keep: keepList})
	if err != nil {
		b.Fatal(err)
	}
	form := m.AppendBinary(nil)
	b.ReportMetric(float64(len(form)), "octets")
	b.ReportAllocs()
	return form
}

func BenchmarkParseEnvelope(b *testing.B) {
	form := benchmarkForm(b)
	for b.Loop() {
		if _, err := ParseHead(form); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseBinary(b *testing.B) {
	form := benchmarkForm(b)
	for b.Loop() {
		if _, err := ParseBinary(form); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseDate(b *testing.B) {
	for b.Loop() {
		if _, ok := ParseDate("Mon, 23 Nov 2026 14:08:00 +0100"); !ok {
			b.Fatal("not read")
		}
	}
}

func BenchmarkParseAddressList(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if n := len(ParseAddressList(`"Doe, Joe" <joe@example.org>, jane@example.net, "hidden-recipients": ;`)); n != 4 {
			b.Fatal(n)
		}
	}
}

package wire

import (
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// benchmarkEncode measures one response, with the flushing that it causes.
func benchmarkEncode(b *testing.B, response func(*Encoder)) {
	e := NewEncoder(io.Discard, EncoderOptions{})
	b.ReportAllocs()
	for b.Loop() {
		response(e)
		if e.Full() {
			if err := e.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkFetchFlags(b *testing.B) {
	flags := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagMDNSent}
	benchmarkEncode(b, func(e *Encoder) {
		e.StartFetch(123456)
		e.Word("UID")
		e.Number(234567)
		e.Word("FLAGS")
		e.Flags(flags)
		_ = e.EndFetch()
	})
}

func BenchmarkFetchEnvelope(b *testing.B) {
	benchmarkEncode(b, func(e *Encoder) {
		e.StartFetch(123456)
		e.Word("ENVELOPE")
		e.Envelope(&rfcEnvelope)
		_ = e.EndFetch()
	})
}

func BenchmarkFetchBody(b *testing.B) {
	content := strings.Repeat("x", 4096)
	r := strings.NewReader("")
	b.SetBytes(int64(len(content)))
	benchmarkEncode(b, func(e *Encoder) {
		r.Reset(content)
		e.StartFetch(123456)
		e.Word("BODY[]")
		_ = e.Literal(r, int64(len(content)))
		_ = e.EndFetch()
	})
}

// endless repeats a command for ever.
type endless struct {
	text string
	at   int
}

func (s *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], s.text[s.at:])
		n += m
		s.at = (s.at + m) % len(s.text)
	}
	return n, nil
}

func BenchmarkReadFetch(b *testing.B) {
	r := NewReader(&endless{text: "A12 UID FETCH 1:*,5:9 (UID FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO)])\r\n"}, Options{})
	b.ReportAllocs()
	for b.Loop() {
		d, err := r.Command()
		if err != nil {
			b.Fatal(err)
		}
		d.Tag()
		d.SP()
		d.Keyword()
		d.SP()
		d.Keyword()
		d.SP()
		d.Set()
		d.SP()
		d.Fetch()
		if err := d.End(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	p := CompilePattern("Archive/%/2024*", '/')
	b.ReportAllocs()
	for b.Loop() {
		p.Match("Archive/Lists/2024-11-long-name")
	}
}

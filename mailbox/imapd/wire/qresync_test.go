package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestQResync(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"(67890007 20050715194045000 41,43:211,214:541)", // RFC 7162, 3.2.5.1
		"(67890007 20050715194045000)",
		"(67890007 90060115194045000 41:211,214:541 (1:2,5 41:42,217))",
		"(1 9223372036854775807 (1 1))",
	} {
		d := decode(t, in+"\r\n", Options{})
		q := d.QResync()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got := encode(t, func(e *Encoder) { e.QResync(&q) }); got != "QRESYNC "+in {
			t.Errorf("%q was written as %q", in, got)
		}
	}
	for _, in := range []string{
		"", "()", "(1)", "(0 1)", "(1 0)", "(1 9223372036854775808)", "(1 1 )", "(1 1 1:*)", "(1 1 $)",
		"(1 1 1 (1:2 1))", "(1 1 1 (1:* 1))", "(1 1 1 ())", "(1 1 1 (1 1) 1)", "(1 1",
	} {
		d := decode(t, in+"\r\n", Options{})
		d.QResync()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestVanished(t *testing.T) {
	t.Parallel()
	ranges := []Range{{41, 41}, {43, 116}}
	for earlier, want := range map[bool]string{true: "* VANISHED (EARLIER) 41,43:116", false: "* VANISHED 41,43:116"} {
		var out strings.Builder
		e := NewEncoder(&out, EncoderOptions{})
		if err := errors.Join(e.Vanished(earlier, ranges), e.Flush()); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(out.String(), "\r\n"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

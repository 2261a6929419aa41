package wire

import "testing"

func TestThread(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"ORDEREDSUBJECT UTF-8 SINCE 5-Mar-2000", // RFC 5256, 3
		"REFERENCES US-ASCII TEXT gewp",
	} {
		d := decode(t, in+"\r\n", Options{})
		v := d.Thread()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got := encode(t, func(e *Encoder) { e.Thread(&v) }); got != in {
			t.Errorf("%q was written as %q", in, got)
		}
	}
	for _, in := range []string{"", "ORDEREDSUBJECT", "ORDEREDSUBJECT UTF-8", "ORDEREDSUBJECT UTF-8 ", "() UTF-8 ALL"} {
		d := decode(t, in+"\r\n", Options{})
		d.Thread()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func TestThreadLists(t *testing.T) {
	t.Parallel()
	for want, threads := range map[string][][]uint32{
		"THREAD": nil,
		"THREAD (166)(200 202)(174 (175)(176)(178))": {{166}, {200, 202}, {174, 175, 176, 178}}, // RFC 5256, 3
	} {
		got := encode(t, func(e *Encoder) {
			e.Word("THREAD")
			e.ThreadLists(threads)
		})
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

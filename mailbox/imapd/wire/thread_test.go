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

func TestThreads(t *testing.T) {
	t.Parallel()
	leaf := func(numbers ...uint32) (list []ThreadNode) {
		for _, n := range numbers {
			list = append(list, ThreadNode{Number: n})
		}
		return list
	}
	for want, threads := range map[string][]ThreadNode{
		"THREAD": nil,
		// RFC 5256, 3
		"THREAD (166)(200 202)(174 (175)(176)(178))": {{Number: 166}, {200, leaf(202)}, {174, leaf(175, 176, 178)}},
		// RFC 5256, 4
		"THREAD (2)(3 6 (4 23)(44 7 96))": {{Number: 2}, {3, []ThreadNode{{6, []ThreadNode{{4, leaf(23)}, {44, []ThreadNode{{7, leaf(96)}}}}}}}},
		"THREAD ((3)(5))":                 {{0, leaf(3, 5)}},
	} {
		got := encode(t, func(e *Encoder) {
			e.Word("THREAD")
			e.Threads(threads)
		})
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

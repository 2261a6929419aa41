package wire

import "testing"

func TestSort(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"(SUBJECT) UTF-8 SINCE 1-Feb-1994", // RFC 5256, 3
		"(REVERSE DATE SUBJECT) UTF-8 ALL",
		"RETURN (COUNT PARTIAL -1:-5) (REVERSE ARRIVAL REVERSE CC FROM SIZE TO) US-ASCII (SEEN 1:2)",
	} {
		d := decode(t, in+"\r\n", Options{})
		s := d.Sort()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got := encode(t, func(e *Encoder) { e.Sort(&s) }); got != in {
			t.Errorf("%q was written as %q", in, got)
		}
	}
	for _, in := range []string{
		"", "()", "() UTF-8 ALL", "DATE UTF-8 ALL", "(DATE REVERSE) UTF-8 ALL", "(REVERSE REVERSE DATE) UTF-8 ALL", "(COLOUR) UTF-8 ALL",
		"(DATE) UTF-8", "(DATE)", "(TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO) UTF-8 ALL",
	} {
		d := decode(t, in+"\r\n", Options{})
		d.Sort()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

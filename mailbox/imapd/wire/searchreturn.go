package wire

// SearchReturn are the result options of SEARCH, as bits (RFC 9051, 6.4.4).
type SearchReturn uint8

const (
	ReturnMin SearchReturn = 1 << iota
	ReturnMax
	ReturnAll
	ReturnCount
	ReturnSave
	ReturnPartial // RFC 9394, with the range in Search.Partial
)

var returnWords = []struct {
	word string
	opt  SearchReturn
}{
	{"MIN", ReturnMin}, {"MAX", ReturnMax}, {"ALL", ReturnAll}, {"COUNT", ReturnCount},
	{"SAVE", ReturnSave}, {"PARTIAL", ReturnPartial},
}

// Has reports whether all of the options are among r.
func (r SearchReturn) Has(opts SearchReturn) bool { return r&opts == opts }

// SearchReturn reads the parenthesised result options of SEARCH, SORT and
// their kin, behind RETURN. No options are ReturnAll.
func (d *Decoder) SearchReturn() (SearchReturn, Partial) {
	var opts SearchReturn
	var part Partial
	d.List(func() {
		opt := d.returnOption()
		if opt == ReturnPartial && opts.Has(opt) { // RFC 9394, 3.1
			d.fail("only one PARTIAL")
		}
		opts |= opt
		if opt == ReturnPartial {
			d.SP()
			part = d.Partial()
		}
	})
	switch {
	case d.err != nil:
		return 0, Partial{}
	case opts == 0:
		opts = ReturnAll
	case opts.Has(ReturnPartial | ReturnAll): // RFC 9394, 3.1
		d.fail("either ALL or PARTIAL")
	}
	return opts, part
}

func (d *Decoder) returnOption() SearchReturn {
	at := d.pos
	word := d.word("a search result option")
	for _, w := range returnWords {
		if w.word == word {
			return w.opt
		}
	}
	d.failAt(at, "a known search result option")
	return 0
}

// SearchReturn writes the parenthesised result options.
func (e *Encoder) SearchReturn(opts SearchReturn, part Partial) {
	e.Open()
	for _, w := range returnWords {
		if opts.Has(w.opt) {
			e.Word(w.word)
		}
	}
	if opts.Has(ReturnPartial) {
		e.Partial(part)
	}
	e.Close()
}

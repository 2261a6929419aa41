package wire

// A SortField is what SORT compares (RFC 5256, 3).
type SortField uint8

const (
	SortArrival SortField = iota
	SortCc
	SortDate
	SortFrom
	SortSize
	SortSubject
	SortTo
)

var sortWords = []string{
	SortArrival: "ARRIVAL", SortCc: "CC", SortDate: "DATE", SortFrom: "FROM", SortSize: "SIZE",
	SortSubject: "SUBJECT", SortTo: "TO",
}

// A SortKey is one criterion of SORT.
type SortKey struct {
	Field   SortField
	Reverse bool
}

// maxSortKeys is above what makes sense: each field once is seven.
const maxSortKeys = 16

// A Sort is the arguments of SORT. Its Search always has a charset.
type Sort struct {
	Search
	Keys []SortKey
}

// Sort reads the arguments of SORT (RFC 5256, 3; RFC 5267, 3).
func (d *Decoder) Sort() Sort {
	var s Sort
	if d.nextWord("RETURN") {
		d.SP()
		s.Extended = true
		s.Return, s.Partial = d.SearchReturn()
		d.SP()
	}
	d.List(func() { s.Keys = append(s.Keys, d.sortKey()) })
	switch {
	case len(s.Keys) == 0:
		d.fail("a sort criterion")
	case len(s.Keys) > maxSortKeys:
		d.setErr(&LimitError{What: "sort criteria", Max: maxSortKeys})
	}
	d.SP()
	s.Charset = intern(d.astring(charAtomic, "a charset"))
	d.SP()
	s.Key = d.SearchProgram()
	if d.err != nil {
		return Sort{}
	}
	return s
}

func (d *Decoder) sortKey() (k SortKey) {
	at := d.pos
	word := d.word("a sort criterion")
	if word == "REVERSE" {
		k.Reverse = true
		d.SP()
		at = d.pos
		word = d.word("a sort criterion")
	}
	for field, w := range sortWords {
		if w == word {
			k.Field = SortField(field)
			return k
		}
	}
	d.failAt(at, "a known sort criterion")
	return k
}

// Sort writes the arguments of SORT.
func (e *Encoder) Sort(s *Sort) {
	if s.Extended {
		e.Word("RETURN")
		e.SearchReturn(s.Return, s.Partial)
	}
	e.Open()
	for _, k := range s.Keys {
		if k.Reverse {
			e.Word("REVERSE")
		}
		e.Word(sortWords[k.Field])
	}
	e.Close()
	e.Astring(s.Charset)
	e.SearchKey(&s.Key)
}

package wire

// A Thread is the arguments of THREAD (RFC 5256, 3). Its Search always has a
// charset, and no RETURN.
type Thread struct {
	Search
	Algorithm string // in upper case
}

// Thread reads the arguments of THREAD.
func (d *Decoder) Thread() Thread {
	t := Thread{Algorithm: d.Keyword()}
	d.SP()
	t.Charset = intern(d.astring(charAtomic, "a charset"))
	d.SP()
	t.Key = d.SearchProgram()
	if d.err != nil {
		return Thread{}
	}
	return t
}

// Thread writes the arguments of THREAD.
func (e *Encoder) Thread(t *Thread) {
	e.Atom(t.Algorithm)
	e.Astring(t.Charset)
	e.SearchKey(&t.Key)
}

// ThreadLists writes the threads of a THREAD response, each a parent and its
// children (RFC 5256, 4). Other than in any list, nothing stands between two of
// them.
func (e *Encoder) ThreadLists(threads [][]uint32) {
	for i, t := range threads {
		if i == 0 {
			e.sep()
		}
		e.thread(t)
	}
}

// thread writes an only child behind its parent, and several in parentheses of
// their own.
func (e *Encoder) thread(t []uint32) {
	e.b = append(e.b, '(')
	for i, n := range t {
		switch {
		case i == 0:
			e.b = appendUint(e.b, uint64(n))
		case len(t) == 2:
			e.b = appendUint(append(e.b, ' '), uint64(n))
		default:
			if i == 1 {
				e.b = append(e.b, ' ')
			}
			e.b = append(appendUint(append(e.b, '('), uint64(n)), ')')
		}
	}
	e.b = append(e.b, ')')
}

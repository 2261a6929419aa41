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

// A ThreadNode is a message of a thread with the answers to it. Number is 0 for a
// message that is not there, but whose answers belong together.
type ThreadNode struct {
	Number   uint32
	Children []ThreadNode
}

// Threads writes the threads of a THREAD response (RFC 5256, 4). Other than in any
// list, nothing stands between two of them.
func (e *Encoder) Threads(threads []ThreadNode) {
	if len(threads) > 0 {
		e.sep()
		e.threads(threads)
	}
}

func (e *Encoder) threads(list []ThreadNode) {
	for i := range list {
		e.b = append(e.b, '(')
		e.thread(&list[i])
		e.b = append(e.b, ')')
	}
}

// thread writes an only child behind its parent, and several in parentheses of
// their own.
func (e *Encoder) thread(t *ThreadNode) {
	for t.Number != 0 {
		e.b = appendUint(e.b, uint64(t.Number))
		if len(t.Children) == 0 {
			return
		}
		e.b = append(e.b, ' ')
		if len(t.Children) > 1 {
			break
		}
		t = &t.Children[0]
	}
	e.threads(t.Children)
}

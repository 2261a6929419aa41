package wire

// A QResync is what a client remembers of a mailbox that it selects again
// (RFC 7162, 3.2.5).
type QResync struct {
	UIDValidity uint32
	ModSeq      int64
	Known       Set // the UIDs it knows; zero for all

	// Seqs and UIDs pair some of its sequence numbers with their UIDs: as many
	// of one as of the other. Both are zero if it gave none.
	Seqs, UIDs Set
}

// QResync reads the parameter of SELECT, from behind the space after its name.
func (d *Decoder) QResync() QResync {
	var q QResync
	d.Expect('(')
	q.UIDValidity = d.NzNumber()
	d.SP()
	at := d.pos
	if q.ModSeq = d.Number64(); q.ModSeq == 0 {
		d.failAt(at, "a number above zero")
	}
	if d.Special(' ') {
		if d.Peek() != '(' {
			q.Known = d.staticSet()
			if d.Special(' ') {
				d.matchData(&q)
			}
		} else {
			d.matchData(&q)
		}
	}
	d.Expect(')')
	if d.err != nil {
		return QResync{}
	}
	return q
}

// matchData reads seq-match-data. Sets are sorted as they are read, so that those
// out of order, which RFC 7162 forbids, pair in the only way that makes sense.
func (d *Decoder) matchData(q *QResync) {
	d.Expect('(')
	q.Seqs = d.staticSet()
	d.SP()
	at := d.pos
	q.UIDs = d.staticSet()
	if Ranges(q.Seqs.Ranges).Count() != Ranges(q.UIDs.Ranges).Count() {
		d.failAt(at, "as many UIDs as sequence numbers")
	}
	d.Expect(')')
}

// staticSet reads a set without "*" and "$".
func (d *Decoder) staticSet() Set {
	at := d.pos
	s := d.Set()
	if s.Dynamic() {
		d.failAt(at, "a set without * or $")
	}
	return s
}

// QResync writes the parameter of SELECT, with its name.
func (e *Encoder) QResync(q *QResync) {
	e.Word("QRESYNC")
	e.Open()
	e.Number(uint64(q.UIDValidity))
	e.Number(uint64(q.ModSeq))
	if !q.Known.IsZero() {
		e.Set(q.Known)
	}
	if !q.Seqs.IsZero() {
		e.Open()
		e.Set(q.Seqs)
		e.Set(q.UIDs)
		e.Close()
	}
	e.Close()
}

// Vanished writes a complete VANISHED response (RFC 7162, 3.2.10). Earlier ones
// do not change sequence numbers.
func (e *Encoder) Vanished(earlier bool, uids []Range) error {
	e.Untagged()
	e.Word("VANISHED")
	if earlier {
		e.Word("(EARLIER)")
	}
	e.Ranges(uids)
	return e.CRLF()
}

package imapd

import (
	"time"

	"github.com/restante/restante/mailbox"
)

// A search is judged in stages, from what costs nothing to what costs a message's
// text. A message goes to the next stage only while its verdict is open.

// stage says what of a message a judgement may look at.
type stage int

const (
	stageTable  stage = iota // number, UID, flags, mod-sequence
	stageIndex               // what the index knows of texts
	stageInfo                // the sealed envelope data: size, dates, addresses
	stageHeader              // the header block, for which the body is opened
	stageText                // all of the text
)

// verdict is what a condition comes to.
type verdict int

const (
	undecided verdict = iota // within the stage
	accepted
	rejected
)

func verdictOf(ok bool) verdict {
	if ok {
		return accepted
	}
	return rejected
}

// candidate is a message that may be found.
type candidate struct {
	number uint32 // its sequence number
	row    mailbox.Row
	opened
	texts []bool // which of the program's needles its text has; nil until scanned
}

// condition is one condition of a search. The error is that of opening the
// message.
type condition interface {
	judge(m *candidate, s stage) (verdict, error)
}

// test is a condition that needs one stage, and is decided then.
type test struct {
	needs stage
	holds func(m *candidate) (bool, error)
}

func (t test) judge(m *candidate, s stage) (verdict, error) {
	if s < t.needs {
		return undecided, nil
	}
	ok, err := t.holds(m)
	return verdictOf(ok), err
}

// fact is a test of what the table tells.
func fact(holds func(*candidate) bool) condition {
	return test{stageTable, func(m *candidate) (bool, error) { return holds(m), nil }}
}

// every holds if each of its conditions does.
type every []condition

func (e every) judge(m *candidate, s stage) (verdict, error) {
	sum := accepted
	for _, c := range e {
		v, err := c.judge(m, s)
		if err != nil || v == rejected {
			return rejected, err
		}
		if v == undecided {
			sum = undecided
		}
	}
	return sum, nil
}

// either holds if one of its conditions does.
type either []condition

func (e either) judge(m *candidate, s stage) (verdict, error) {
	sum := rejected
	for _, c := range e {
		v, err := c.judge(m, s)
		if err != nil || v == accepted {
			return v, err
		}
		if v == undecided {
			sum = undecided
		}
	}
	return sum, nil
}

// not holds if its condition doesn't.
type not struct{ condition }

func (n not) judge(m *candidate, s stage) (verdict, error) {
	v, err := n.condition.judge(m, s)
	switch v {
	case accepted:
		v = rejected
	case rejected:
		v = accepted
	}
	return v, err
}

// program is a search made ready to judge messages. It is for one goroutine.
type program struct {
	root    condition
	needles []needle // of BODY and TEXT, looked for in one pass
	texts   textScan
	modseq  bool // a condition is on the mod-sequence
}

// glance judges a message by its row alone.
func (p *program) glance(m *candidate) verdict {
	v, _ := p.root.judge(m, stageTable) // facts have no errors
	return v
}

// open judges a message, opening what that takes.
func (p *program) open(m *candidate) (bool, error) {
	for s := stageTable; ; s++ {
		v, err := p.root.judge(m, s)
		if v != undecided || err != nil {
			return v == accepted && err == nil, err
		}
	}
}

// dayOf returns the day of t in its own zone, as the dates of SEARCH are.
func dayOf(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

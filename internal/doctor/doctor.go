// Package doctor looks at what surrounds a relay: its DNS records, its ports and
// certificate, the clock, the disk and the files of the machine it runs on.
//
//	findings := doctor.DNS(ctx, resolver, doctor.Zone{Domain: …, Host: …, Records: …})
//	findings = append(findings, doctor.Disk(dir)...)
//
// Each check gives one Finding or more: what was looked at, what is there, and for what
// is wrong the exact thing to do. A check that can't be made says so, and is no fault:
// nothing is called wrong that may be right.
//
// The checks change nothing, and every one of them ends with its context.
package doctor

// State is the outcome of a check.
type State int

// The outcomes.
const (
	OK     State = iota
	Wrong        // Fix says what to do
	Unsure       // it can't be told from here; Text says why
)

// String returns the word that is printed before a finding.
func (s State) String() string {
	return [...]string{"ok", "WRONG", "?"}[s]
}

// Finding is the outcome of one check.
type Finding struct {
	Check string // what was looked at, in a word or two
	State State
	Text  string // what is there
	Fix   string // what to do, if State is Wrong; lines after the first are to be copied as they are
}

func ok(check, text string) Finding     { return Finding{Check: check, State: OK, Text: text} }
func unsure(check, text string) Finding { return Finding{Check: check, State: Unsure, Text: text} }
func wrong(check, text, fix string) Finding {
	return Finding{Check: check, State: Wrong, Text: text, Fix: fix}
}

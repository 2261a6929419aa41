package imapd_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// mirror is a client that keeps a copy of the selected mailbox, made of nothing
// but what the server tells.
type mirror struct {
	*client
	list []mirrored // by sequence number
}

// mirrored is a message; its UID is "" while the client doesn't know it.
type mirrored struct{ uid, flags string }

// newMirror selects INBOX.
func newMirror(t *testing.T, c *client) *mirror {
	t.Helper()
	m := &mirror{client: c}
	m.run("SELECT INBOX", true)
	m.run("FETCH 1:* (UID FLAGS)", false)
	return m
}

// run sends a command and takes in what is told. Unless it may be, a message that
// vanishes is a fault: sequence numbers must hold (RFC 9051, 7.5.1).
func (m *mirror) run(command string, mayExpunge bool) (answer string) {
	untagged, answer := m.command("%s", command)
	for _, line := range untagged {
		if strings.HasSuffix(line, " EXPUNGE") && !mayExpunge {
			m.tb.Errorf("%s: %s", command, line)
		}
		m.learn(line)
	}
	if strings.HasPrefix(answer, "BAD") {
		m.tb.Errorf("%s: %s", command, answer)
	}
	return answer
}

// learn takes in one untagged response.
func (m *mirror) learn(line string) {
	var n int
	var what string
	if _, err := fmt.Sscanf(line, "* %d %s", &n, &what); err != nil {
		return
	}
	if what != "EXISTS" && what != "RECENT" && (n < 1 || n > len(m.list)) {
		m.tb.Errorf("%q, but there are %d messages", line, len(m.list))
		return
	}
	switch what {
	case "EXISTS":
		if n < len(m.list) {
			m.tb.Errorf("%q, but there were %d messages already", line, len(m.list))
		}
		m.list = append(m.list, make([]mirrored, max(0, n-len(m.list)))...)
	case "EXPUNGE":
		m.list = slices.Delete(m.list, n-1, n)
	case "FETCH":
		m.set(line, &m.list[n-1])
	}
}

var (
	toldUID   = regexp.MustCompile(`UID (\d+)`)
	toldFlags = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
)

// set notes what FETCH has told of a message. Its UID can't change.
func (m *mirror) set(line string, e *mirrored) {
	if uid := toldUID.FindStringSubmatch(line); uid != nil {
		if e.uid != "" && uid[1] != e.uid {
			m.tb.Errorf("%q, but the message has UID %s", line, e.uid)
		}
		e.uid = uid[1]
	}
	if flags := toldFlags.FindStringSubmatch(line); flags != nil {
		e.flags = strings.Join(slices.DeleteFunc(strings.Fields(flags[1]), func(f string) bool { return f == `\Recent` }), " ")
	}
}

// work does so many random things to the mailbox.
func (m *mirror) work(seed uint64, steps int) {
	r := rand.New(rand.NewPCG(seed, 7))
	for range steps {
		if len(m.list) == 0 {
			m.run("NOOP", true)
			continue
		}
		seq := 1 + r.IntN(len(m.list))
		flag := []string{`\Seen`, `\Flagged`, "$Work", "$Home", `\Deleted`}[r.IntN(5)]
		sign := []string{"", "+", "-"}[r.IntN(3)]
		switch r.IntN(12) {
		case 0, 1, 2:
			m.run(fmt.Sprintf("STORE %d %sFLAGS (%s)", seq, sign, flag), false)
		case 3:
			m.run(fmt.Sprintf("UID STORE 1:* %sFLAGS.SILENT ($Some)", sign), true)
			m.run("UID FETCH 1:* (UID FLAGS)", true)
		case 4, 5:
			m.run(fmt.Sprintf("FETCH %d:* (UID FLAGS)", seq), false)
		case 6:
			m.run("SEARCH ALL", false)
		case 7, 8:
			m.run(fmt.Sprintf("COPY %d INBOX", seq), true)
		case 9:
			m.run(fmt.Sprintf("MOVE %d INBOX", seq), true)
		case 10:
			m.run("EXPUNGE", true)
		case 11:
			m.run("NOOP", true)
		}
	}
}

// compare brings the mirror up to date, and holds it against the store.
func (m *mirror) compare(name string, x *mailbox.Session) {
	m.tb.Helper()
	m.run("NOOP", true)
	for i := range m.list {
		if m.list[i].uid == "" {
			m.run(fmt.Sprintf("FETCH %d (UID FLAGS)", i+1), false)
		}
	}
	var want []mirrored
	for _, row := range rowsOf(m.tb, x) {
		want = append(want, mirrored{fmt.Sprint(row.UID), spell(x, row.Flags)})
	}
	if len(want) == 0 {
		m.tb.Error("nothing is left to compare")
	}
	if diff := cmp.Diff(m.list, want, cmp.AllowUnexported(mirrored{})); diff != "" {
		m.tb.Errorf("%s differs from the store:\n%s", name, diff)
	}
}

// spell writes flags in the server's order.
func spell(x *mailbox.Session, f mailbox.Flags) string {
	var words []string
	for _, s := range []struct {
		flag mailbox.Flags
		name string
	}{
		{mailbox.Answered, `\Answered`}, {mailbox.Flagged, `\Flagged`}, {mailbox.Deleted, `\Deleted`},
		{mailbox.Seen, `\Seen`}, {mailbox.Draft, `\Draft`},
	} {
		if f&s.flag != 0 {
			words = append(words, s.name)
		}
	}
	return strings.Join(append(words, x.Names(f)...), " ")
}

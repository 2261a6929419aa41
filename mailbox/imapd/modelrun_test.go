package imapd_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// FuzzModel has five clients do random things to a mailbox by turns, by IMAP4rev1 and
// by rev2, with QRESYNC, without sequence numbers, and without them while NOTIFY tells
// what the others do whenever they do it. After each command its client
// must know exactly what a mailbox made of plain slices says: which messages there
// are, by which numbers, with which UIDs, flags and mod-sequences.
func FuzzModel(f *testing.F) {
	for seed := range uint64(6) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		m := newModelRun(t, seed)
		for range 150 {
			m.step()
		}
	})
}

// modelRun is one run of the model against a server.
type modelRun struct {
	*testing.T
	*modelMailbox
	w       *world
	r       *rand.Rand
	clients []*modelClient
	c       *modelClient // whose turn it is
}

func newModelRun(t *testing.T, seed uint64) *modelRun {
	m := &modelRun{T: t, w: newWorld(t), r: rand.New(rand.NewPCG(seed, 0)), modelMailbox: &modelMailbox{next: 1}}
	created := m.w.account(t, "b@example.org")
	for _, enable := range []string{"CONDSTORE", "CONDSTORE IMAP4rev2", "QRESYNC", "CONDSTORE UIDONLY", "UIDONLY CONDSTORE"} {
		c := &modelClient{client: m.w.dial(t).enter(created), uidOnly: strings.Contains(enable, "UIDONLY")}
		c.ok("ENABLE %s", enable)
		for _, line := range c.ok("SELECT INBOX") {
			if v := regexp.MustCompile(`HIGHESTMODSEQ (\d+)`).FindStringSubmatch(line); v != nil {
				m.highest, _ = strconv.Atoi(v[1])
			}
		}
		m.clients = append(m.clients, c)
	}
	last := m.clients[len(m.clients)-1]
	last.ok("NOTIFY SET (selected (MessageNew (FLAGS MODSEQ) MessageExpunge FlagChange))")
	last.notified = true
	return m
}

// step has one of the clients do something.
func (m *modelRun) step() {
	m.c = m.clients[m.r.IntN(len(m.clients))]
	byUID := m.c.uidOnly || m.r.IntN(2) == 0
	numbers := m.pick(len(m.c.knows))
	if len(numbers) == 0 {
		m.stepWithout()
		return
	}
	switch m.r.IntN(10) {
	case 0, 1, 2:
		m.storeStep(numbers, byUID)
	case 3:
		m.seenStep(numbers, byUID)
	case 4, 5:
		m.searchStep(numbers, byUID)
	case 6:
		m.copyStep(numbers, byUID)
	case 7:
		m.expungeStep(numbers, byUID)
	case 8:
		m.replaceStep(numbers[m.r.IntN(len(numbers))], byUID)
	case 9:
		m.stepWithout()
	}
}

// pick returns some of the numbers up to n.
func (m *modelRun) pick(n int) (list []int) {
	share := 1 + m.r.IntN(4)
	for i := range n {
		if m.r.IntN(4) < share {
			list = append(list, i+1)
		}
	}
	return list
}

// uids returns the UIDs of sequence numbers; there is how many of them are left.
func (m *modelRun) uids(numbers []int) (uids []int, there int) {
	for _, n := range numbers {
		uid := m.c.knows[n-1].UID
		uids = append(uids, uid)
		if m.find(uid) != nil {
			there++
		}
	}
	return uids, there
}

// do sends a command about messages and checks what its client knows then. It
// returns the answer. after is told before the check what the client itself can
// conclude.
func (m *modelRun) do(command string, numbers []int, byUID bool, args string, after func()) string {
	m.Helper()
	set, _ := m.uids(numbers)
	if !byUID {
		set = numbers
	}
	line := fmt.Sprintf("%s %s%s", command, numberSet(set), args)
	if byUID {
		line = "UID " + line
	}
	expunges := byUID || command == "COPY" || command == "MOVE" || command == "REPLACE"
	knew := slices.Clone(m.c.knows)
	answer := m.c.do(line, expunges)
	after()
	m.c.check(m.modelMailbox, line, knew, expunges)
	return answer
}

func (m *modelRun) want(command, got, want string) {
	m.Helper()
	if m.c.notified { // it may have been told that the message is gone before it gave the command
		want = strings.TrimSuffix(want, " [EXPUNGEISSUED]")
	}
	if !strings.HasPrefix(got, want) {
		m.Fatalf("%s: %s, want %s", command, got, want)
	}
}

// someFlags returns flags, some of which are keywords.
func (m *modelRun) someFlags() (flags []string) {
	for _, f := range []string{`\Seen`, `\Deleted`, `\Flagged`, `\Answered`, `\Draft`, "$Work", "$Home"} {
		if m.r.IntN(3) == 0 {
			flags = append(flags, f)
		}
	}
	return flags
}

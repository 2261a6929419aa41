package imapd_test

import (
	"fmt"
	"slices"
	"strings"
)

// storeStep changes flags, at times silently, at times only if nobody else has
// since a mod-sequence.
func (m *modelRun) storeStep(numbers []int, byUID bool) {
	s := modelStore{sign: []string{"", "+", "-"}[m.r.IntN(3)], flags: m.someFlags(), since: -1}
	args := " "
	if m.r.IntN(3) == 0 {
		s.since = max(0, m.highest-m.r.IntN(6))
		args = fmt.Sprintf(" (UNCHANGEDSINCE %d) ", s.since)
	}
	silent := ""
	if m.r.IntN(2) == 0 {
		silent = ".SILENT"
	}
	args += fmt.Sprintf("%sFLAGS%s (%s)", s.sign, silent, strings.Join(s.flags, " "))
	uids, there := m.uids(numbers)
	modified := m.store(uids, s)
	answer := m.do("STORE", numbers, byUID, args, func() {
		if silent != "" {
			m.conclude(uids, modified, s)
		}
	})
	switch {
	case len(modified) > 0:
		m.wantModified(answer, modified, numbers, uids, byUID)
	case there < len(uids):
		m.want("STORE", answer, "OK [EXPUNGEISSUED]")
	default:
		m.want("STORE", answer, "OK")
	}
}

// conclude does to what the client knows what it asked the server to do silently.
func (m *modelRun) conclude(uids, modified []int, s modelStore) {
	for i := range m.c.knows {
		e := &m.c.knows[i]
		if slices.Contains(uids, e.UID) && !slices.Contains(modified, e.UID) && m.find(e.UID) != nil {
			e.Flags = s.apply(e.Flags)
		}
	}
}

func (m *modelRun) wantModified(answer string, modified, numbers, uids []int, byUID bool) {
	m.Helper()
	list, _, _ := strings.Cut(strings.TrimPrefix(answer, "OK [MODIFIED "), "]")
	got := setNumbers(list)
	if !byUID {
		for i, n := range got {
			got[i] = uids[slices.Index(numbers, n)]
		}
	}
	if !slices.Equal(got, modified) {
		m.Fatalf("STORE: %s, want MODIFIED of the UIDs %v", answer, modified)
	}
}

// seenStep fetches text, which marks it as seen.
func (m *modelRun) seenStep(numbers []int, byUID bool) {
	uids, there := m.uids(numbers)
	m.store(uids, modelStore{sign: "+", flags: []string{`\Seen`}, since: -1})
	want := "OK"
	if there < len(uids) {
		want = "OK [EXPUNGEISSUED]"
	}
	answer := m.do("FETCH", numbers, byUID, " (BODY[]<0.0001> FLAGS)", func() {})
	m.want("FETCH", answer, want)
}

// searchStep looks for a flag among some messages.
func (m *modelRun) searchStep(numbers []int, byUID bool) {
	flag := []string{"SEEN", "DELETED", "FLAGGED"}[m.r.IntN(3)]
	key := numberSet(numbers) + " NOT " + flag
	if m.c.uidOnly {
		uids, _ := m.uids(numbers)
		key = "UID " + numberSet(uids) + " NOT " + flag
	}
	var want []int
	for i, e := range m.sees(m.c.knows, false) {
		there := m.find(e.UID)
		if there == nil || !slices.Contains(numbers, i+1) || strings.Contains(strings.ToUpper(there.Flags), flag) {
			continue
		}
		if byUID {
			want = append(want, e.UID)
		} else {
			want = append(want, i+1)
		}
	}
	m.c.found = nil
	command := "SEARCH "
	if byUID {
		command = "UID SEARCH "
	}
	knew := slices.Clone(m.c.knows)
	m.want(command, m.c.do(command+key, byUID), "OK")
	if !slices.Equal(m.c.found, want) {
		m.Fatalf("%s%s: found %v, want %v", command, key, m.c.found, want)
	}
	m.c.check(m.modelMailbox, command+key, knew, byUID)
}

// copyStep copies or moves messages, at times to the end of the same mailbox.
func (m *modelRun) copyStep(numbers []int, byUID bool) {
	command := []string{"COPY", "MOVE"}[m.r.IntN(2)]
	to := []string{"Archive", "INBOX"}[m.r.IntN(2)]
	uids, there := m.uids(numbers)
	want := "OK"
	if !byUID && there < len(uids) {
		want = "NO [EXPUNGEISSUED]"
	} else {
		m.transfer(uids, there, command, to)
	}
	m.want(command, m.do(command, numbers, byUID, " "+to, func() {}), want)
}

// transfer does in the model what COPY and MOVE do.
func (m *modelRun) transfer(uids []int, there int, command, to string) {
	if there == 0 {
		return
	}
	var flags []string
	for _, uid := range uids {
		if e := m.find(uid); e != nil {
			flags = append(flags, e.Flags)
		}
	}
	if to == "INBOX" {
		m.add(flags...)
	}
	if command == "MOVE" {
		m.remove(func(e modelMessage) bool { return slices.Contains(uids, e.UID) })
	}
}

// replaceStep puts a message in the place of another, or of one that went to the
// other mailbox.
func (m *modelRun) replaceStep(number int, byUID bool) {
	to := []string{"Archive", "INBOX"}[m.r.IntN(2)]
	flags := m.someFlags()
	uids, there := m.uids([]int{number})
	want := "NO [NONEXISTENT]"
	if there > 0 {
		want = "OK"
		m.remove(func(e modelMessage) bool { return e.UID == uids[0] })
		if to == "INBOX" {
			m.add(joinFlags(flags))
		}
	}
	text := message("replacing")
	args := fmt.Sprintf(" %s (%s) {%d+}\r\n%s", to, strings.Join(flags, " "), len(text), text)
	m.want("REPLACE", m.do("REPLACE", []int{number}, byUID, args, func() {}), want)
}

// expungeStep expunges what is deleted, by UID only some of it.
func (m *modelRun) expungeStep(numbers []int, byUID bool) {
	uids, _ := m.uids(numbers)
	m.remove(func(e modelMessage) bool {
		return strings.Contains(e.Flags, `\Deleted`) && (!byUID || slices.Contains(uids, e.UID))
	})
	command := "EXPUNGE"
	if byUID {
		command = "UID EXPUNGE " + numberSet(uids)
	}
	m.other(command)
}

// stepWithout does something that is about no message in particular.
func (m *modelRun) stepWithout() {
	switch m.r.IntN(3) {
	case 0:
		flags := m.someFlags()
		m.add(joinFlags(flags))
		text := message("appended")
		m.other(fmt.Sprintf("APPEND INBOX (%s) {%d+}\r\n%s", strings.Join(flags, " "), len(text), text))
	case 1:
		m.add("")
		if err := m.w.deliver(m.Context(), "b@example.org", message(fmt.Sprint("m", m.next))); err != nil {
			m.Fatal(err)
		}
	case 2:
		m.other("NOOP")
	}
}

// other sends a command that may tell everything.
func (m *modelRun) other(command string) {
	m.Helper()
	knew := slices.Clone(m.c.knows)
	m.want(command, m.c.do(command, true), "OK")
	m.c.check(m.modelMailbox, command, knew, true)
}

package imapd_test

import (
	"cmp"
	"slices"
	"strings"
)

// A modelMailbox is a mailbox as plain slices: what the server must agree with.
type modelMailbox struct {
	list    []modelMessage // by UID
	next    int            // UID
	highest int            // mod-sequence
}

// modelMessage is a message as a client can know it.
type modelMessage struct {
	UID    int
	Flags  string // sorted, with spaces between
	ModSeq int
}

func (m *modelMailbox) find(uid int) *modelMessage {
	i, ok := slices.BinarySearchFunc(m.list, uid, func(e modelMessage, uid int) int { return cmp.Compare(e.UID, uid) })
	if !ok {
		return nil
	}
	return &m.list[i]
}

// add puts messages at the end, all in one change.
func (m *modelMailbox) add(flags ...string) {
	m.highest++
	for _, f := range flags {
		m.list = append(m.list, modelMessage{m.next, f, m.highest})
		m.next++
	}
}

// remove expunges those of the messages for which gone holds.
func (m *modelMailbox) remove(gone func(modelMessage) bool) {
	before := len(m.list)
	if m.list = slices.DeleteFunc(m.list, gone); len(m.list) < before {
		m.highest++
	}
}

// modelStore is one change of flags.
type modelStore struct {
	sign  string // "", "+" or "-"
	flags []string
	since int // UNCHANGEDSINCE; below zero for none
}

// apply returns what the flags become.
func (s modelStore) apply(flags string) string {
	words := strings.Fields(flags)
	switch s.sign {
	case "":
		words = s.flags
	case "+":
		words = append(words, s.flags...)
	case "-":
		words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(s.flags, w) })
	}
	return joinFlags(words)
}

func joinFlags(words []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), " ")
}

// store changes flags, and returns the messages that were changed too lately.
func (m *modelMailbox) store(uids []int, s modelStore) (modified []int) {
	changed := false
	for _, uid := range uids {
		e := m.find(uid)
		switch {
		case e == nil:
		case s.since >= 0 && e.ModSeq > s.since:
			modified = append(modified, uid)
		case s.apply(e.Flags) != e.Flags:
			e.Flags, e.ModSeq = s.apply(e.Flags), m.highest+1
			changed = true
		}
	}
	if changed {
		m.highest++
	}
	return modified
}

// sees returns what a client must know after a command: of the messages it knew,
// those that are there, or all of them if the command must not tell of expunges;
// and those that came in.
func (m *modelMailbox) sees(knew []modelMessage, expunges bool) []modelMessage {
	var now []modelMessage
	last := 0
	for _, k := range knew {
		last = k.UID
		if e := m.find(k.UID); e != nil {
			now = append(now, *e)
		} else if !expunges {
			now = append(now, k)
		}
	}
	for _, e := range m.list {
		if e.UID > last {
			now = append(now, e)
		}
	}
	return now
}

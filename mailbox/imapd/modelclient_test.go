package imapd_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// modelClient knows of the mailbox what it was told, by sequence number.
type modelClient struct {
	*client
	uidOnly bool
	// notified clients are told of changes at any time, and read of it with the
	// answer to their next command.
	notified bool
	knows    []modelMessage // UID 0 where it isn't known yet
	found    []int          // by the last search
}

// learn takes in an untagged response.
func (c *modelClient) learn(line string) {
	words := strings.Fields(line)
	n, err := strconv.Atoi(words[1])
	switch {
	case words[1] == "VANISHED":
		c.forget(setNumbers(words[2]))
	case err != nil:
		c.learnSearch(line)
	case words[2] == "EXISTS":
		if n < len(c.knows) {
			c.tb.Errorf("%q, and %d messages are known", line, len(c.knows))
			return
		}
		c.knows = append(c.knows, make([]modelMessage, n-len(c.knows))...)
	case words[2] == "EXPUNGE" && n <= len(c.knows):
		c.knows = slices.Delete(c.knows, n-1, n)
	case words[2] == "UIDFETCH" && c.uidOnly:
		c.learnUIDFetch(line, n)
	case words[2] == "FETCH" && n <= len(c.knows) && !c.uidOnly:
		c.learnFetch(line, &c.knows[n-1])
	case words[2] != "RECENT":
		c.tb.Errorf("%q, and %d messages are known", line, len(c.knows))
	}
}

// forget takes out what has vanished. A message that came and went before its UID was
// told is one of those in its place whose UIDs are not known.
func (c *modelClient) forget(gone []int) {
	for _, uid := range gone {
		at, before := -1, 0
		for i, e := range c.knows {
			if e.UID == uid || e.UID == 0 && before < uid && at < 0 {
				at = i
			}
			before = max(before, e.UID)
		}
		if at < 0 {
			c.tb.Errorf("%d has vanished, and no such message is known", uid)
			return
		}
		c.knows = slices.Delete(c.knows, at, at+1)
	}
}

var (
	fetchedUID    = regexp.MustCompile(`\bUID (\d+)`)
	fetchedFlags  = regexp.MustCompile(`\bFLAGS \(([^)]*)\)`)
	fetchedModSeq = regexp.MustCompile(`\bMODSEQ \((\d+)\)`)
)

func (c *modelClient) learnFetch(line string, e *modelMessage) {
	if m := fetchedUID.FindStringSubmatch(line); m != nil {
		uid, _ := strconv.Atoi(m[1])
		if e.UID != 0 && e.UID != uid {
			c.tb.Errorf("%q, and the message is known to have UID %d", line, e.UID)
		}
		e.UID = uid
	}
	if m := fetchedFlags.FindStringSubmatch(line); m != nil {
		e.Flags = joinFlags(slices.DeleteFunc(strings.Fields(m[1]), func(f string) bool { return f == `\Recent` }))
	}
	if m := fetchedModSeq.FindStringSubmatch(line); m != nil {
		e.ModSeq, _ = strconv.Atoi(m[1])
	}
}

// learnUIDFetch takes in what is told of a message by its UID: one that is known, or the
// first that isn't yet.
func (c *modelClient) learnUIDFetch(line string, uid int) {
	for i := range c.knows {
		if e := &c.knows[i]; e.UID == uid || e.UID == 0 {
			e.UID = uid
			c.learnFetch(line, e)
			return
		}
	}
	c.tb.Errorf("%q, and no such message is known", line)
}

var foundAll = regexp.MustCompile(`^\* ESEARCH \(TAG "[^"]+"\)(?: UID)?(?: ALL (\S+))?$`)

// learnSearch takes in a result of either form.
func (c *modelClient) learnSearch(line string) {
	if rest, ok := strings.CutPrefix(line, "* SEARCH"); ok {
		c.found = setNumbers(strings.Join(strings.Fields(rest), ","))
	}
	if m := foundAll.FindStringSubmatch(line); m != nil {
		c.found = setNumbers(m[1])
	}
}

// setNumbers lists the numbers of a set.
func setNumbers(set string) (list []int) {
	for _, r := range strings.FieldsFunc(set, func(r rune) bool { return r == ',' }) {
		first, last, isRange := strings.Cut(r, ":")
		a, _ := strconv.Atoi(first)
		b, _ := strconv.Atoi(last)
		if !isRange {
			b = a
		}
		for ; a <= b; a++ {
			list = append(list, a)
		}
	}
	return list
}

// numberSet writes numbers as a set.
func numberSet(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// do sends a command and learns what is told. Only a command that may tell of
// expunges may do so.
func (c *modelClient) do(command string, expunges bool) (answer string) {
	c.tb.Helper()
	untagged, answer := c.command("%s", command)
	for _, line := range untagged {
		switch {
		case (strings.HasSuffix(line, " EXPUNGE") || strings.HasPrefix(line, "* VANISHED")) && !expunges:
			c.tb.Errorf("%s: %s", command, line)
		case strings.HasPrefix(line, "* "):
			c.learn(line)
		}
	}
	return answer
}

// check looks up what is new to the client, and compares with the model. knew is
// what it knew before the command.
func (c *modelClient) check(m *modelMailbox, command string, knew []modelMessage, expunges bool) {
	c.tb.Helper()
	last := 0
	for i, e := range c.knows {
		switch {
		case e.UID != 0:
			last = e.UID
		case c.uidOnly:
			c.do(fmt.Sprintf("UID FETCH %d:* (FLAGS MODSEQ)", last+1), true)
		default:
			c.do(fmt.Sprintf("FETCH %d (UID FLAGS MODSEQ)", i+1), false)
		}
	}
	if diff := cmp.Diff(c.knows, m.sees(knew, expunges), cmpopts.EquateEmpty()); diff != "" {
		c.tb.Fatalf("after %s the client knows (-), and the model has (+):\n%s", command, diff)
	}
}

package gateway

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

func TestQResync(t *testing.T) {
	t.Parallel()
	h := newHome(t, newRelay(t).account(t, "alice"))
	checkQResync(t, h, other(t, h.account))
}

// checkQResync: the server tells which messages are gone, and which have changed, in one
// answer; and what it says is what a search finds.
func checkQResync(t *testing.T, h *home, far *remote) {
	t.Helper()
	if far.qresync == nil {
		t.Fatal("the server has no QRESYNC, or it could not be enabled")
	}
	var uids []imap.UID
	for n := range 6 {
		uids = append(uids, h.put(t, far, "INBOX", n))
	}
	h.sync(t)
	before := h.watcher.sync.ledgers["INBOX"]
	must(t, far.remove("INBOX", []imap.UID{uids[1], uids[4]}))
	must(t, far.store("INBOX", uids[2:3], imap.StoreFlagsAdd, newFlagSet(`\flagged`)))
	come := h.put(t, far, "INBOX", 7)

	looks := map[string]*look{}
	with := far.qresync
	for name, q := range map[string]*qresyncConn{"told": with, "searched": nil} {
		far.qresync = q
		k, err := far.look("INBOX", before)
		must(t, err)
		if k.told != (q != nil) {
			t.Errorf("%s: the server has told what is gone: %v", name, k.told)
		}
		looks[name] = k
	}
	far.qresync = with
	for name, k := range looks {
		if diff := cmp.Diff(k.gone, map[imap.UID]bool{uids[1]: true, uids[4]: true}); diff != "" {
			t.Errorf("%s: gone: %s", name, diff)
		}
		if f, ok := k.flags(uids[2]); !ok || !strings.Contains(string(f), "flagged") || !k.has(come) || k.has(uids[1]) || !k.has(uids[0]) {
			t.Errorf("%s: %v", name, k.messages)
		}
	}

	// A server that forgets to tell of one is not believed.
	with.ask()
	if _, told := with.told(); told {
		t.Error("without a FETCH the server has told")
	}
	lied := *before
	lied.remote = map[imap.UID]*entry{uids[5] + 1000: {Remote: uids[5] + 1000}}
	for uid, e := range before.remote {
		lied.remote[uid] = e
	}
	k, err := far.look("INBOX", &lied)
	must(t, err)
	if k.told || !k.gone[uids[5]+1000] || len(k.gone) != 3 {
		t.Errorf("what the server did not tell: %v, %v", k.told, k.gone)
	}

	// What is gone while nobody asks is a hint, as EXPUNGE is.
	h.sync(t)
	third := other(t, h.account)
	must(t, third.selectBox("INBOX"))
	must(t, far.remove("INBOX", uids[:1]))
	must(t, third.client.Noop().Wait())
	select {
	case <-third.changed:
	default:
		t.Error("a message that vanished meanwhile is not told")
	}
}

// filtered feeds a text in pieces of a size.
func filtered(text string, size int) (out string, taken []string) {
	f := vanishedFilter{take: func(line string) { taken = append(taken, line) }}
	var left []byte
	for len(text) > 0 {
		n := min(size, len(text))
		left = f.feed(left, []byte(text[:n]))
		text = text[n:]
	}
	return string(left), taken
}

func TestVanishedFilter(t *testing.T) {
	t.Parallel()
	const gone, late = "* VANISHED (EARLIER) 1:3,7\r\n", "* vanished 9\r\n"
	const literal = "* 1 FETCH (UID 4 BODY[] {30}\r\n" + gone + "xy FLAGS ())\r\n"
	for _, test := range []struct {
		name, in, out string
		taken         []string
	}{
		{"nothing", "* 3 EXISTS\r\nT1 OK done\r\n", "* 3 EXISTS\r\nT1 OK done\r\n", nil},
		{"between", "* 3 EXISTS\r\n" + gone + "T1 OK done\r\n" + late, "* 3 EXISTS\r\nT1 OK done\r\n", []string{gone, late}},
		{"in a literal", literal + late, literal, []string{late}},
		{"in an empty literal", "* X {0}\r\n" + gone + late, "* X {0}\r\n" + gone, []string{late}},
		{"in a line", "* OK it said * VANISHED 3\r\n", "* OK it said * VANISHED 3\r\n", nil},
		{"our tag", "Q1 OK enabled\r\nQ10 OK\r\nT2 OK\r\n", "Q10 OK\r\nT2 OK\r\n", []string{"Q1 OK enabled\r\n"}},
		{"no end", "* VANISHED 1", "", nil},
	} {
		for size := 1; size <= len(test.in); size++ {
			out, taken := filtered(test.in, size)
			if diff := cmp.Diff(test.out, out) + cmp.Diff(test.taken, taken); diff != "" {
				t.Errorf("%s in pieces of %d: %s", test.name, size, diff)
			}
		}
	}
	f := vanishedFilter{take: func(string) { t.Error("a line without an end was taken") }}
	f.feed(nil, []byte(vanishedMark+strings.Repeat("1,", maxVanished)))
	if f.fault == nil {
		t.Error("a line without an end was kept")
	}
}

// FuzzVanishedFilter: what is left does not hang on how the bytes came, and together with
// what was taken it is all that came, but for a line that has not ended.
func FuzzVanishedFilter(f *testing.F) {
	f.Add("* 3 EXISTS\r\n* VANISHED (EARLIER) 1:3,7\r\n", 3)
	f.Add("* 1 FETCH (BODY[] {12}\r\n* VANISHED 1 )\r\n* VANISHED 2\r\n", 1)
	f.Add("Q1 OK {3}\r\n{99999999999999999999}\r\n", 5)
	f.Fuzz(func(t *testing.T, text string, size int) {
		whole, taken := filtered(text, len(text)+1)
		parts, also := filtered(text, 1+size&15)
		if diff := cmp.Diff(whole, parts) + cmp.Diff(taken, also); diff != "" {
			t.Errorf("in pieces it is something else: %s", diff)
		}
		total := len(whole)
		for _, line := range taken {
			total += len(line)
			if !strings.HasSuffix(line, "\n") {
				t.Errorf("took %q", line)
			}
		}
		rest := text[strings.LastIndexByte(text, '\n')+1:]
		if total > len(text) || total < len(text)-len(rest) {
			t.Errorf("%d bytes came of %d", total, len(text))
		}
	})
}

func TestParseVanished(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line    string
		want    string
		earlier bool
		ok      bool
	}{
		{"* VANISHED (EARLIER) 300:310,405,411\r\n", "300:310,405,411", true, true},
		{"* vanished (earlier) 7:5\r\n", "5:7", true, true},
		{"* VANISHED 4294967295\r\n", "4294967295", false, true},
		{"* VANISHED 4294967296\r\n", "", false, false},
		{"* VANISHED 0\r\n", "", false, false},
		{"* VANISHED 1:*\r\n", "", false, false},
		{"* VANISHED \r\n", "", false, false},
		{"* VANISHED (EARLIER) 1,,2\r\n", "", true, false},
	} {
		set, earlier, ok := parseVanished(test.line)
		if set.String() != test.want || earlier != test.earlier || ok != test.ok {
			t.Errorf("%q: got %q, %v, %v", test.line, set.String(), earlier, ok)
		}
	}
}

// FuzzParseVanished: what is taken is numbers, and says the same when it is read again.
func FuzzParseVanished(f *testing.F) {
	f.Add("(EARLIER) 300:310,405,411")
	f.Add("1:*")
	f.Fuzz(func(t *testing.T, text string) {
		set, earlier, ok := parseVanished(vanishedMark + text + "\r\n")
		if !ok {
			return
		}
		again, _, ok := parseVanished(vanishedMark + set.String() + "\r\n")
		if set.Dynamic() || !ok || again.String() != set.String() {
			t.Errorf("%q, earlier %v: %v, then %v", text, earlier, set, again)
		}
	})
}

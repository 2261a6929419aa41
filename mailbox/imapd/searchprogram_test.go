package imapd

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// noon is now.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// compileSearch compiles a search as a client writes it.
func compileSearch(tb testing.TB, keys string) (*program, error) {
	tb.Helper()
	d, err := wire.NewReader(strings.NewReader("a "+keys+"\r\n"), wire.Options{}).Command()
	if err != nil {
		tb.Fatal(err)
	}
	d.Tag()
	d.SP()
	q := d.Search()
	if err := d.End(); err != nil {
		tb.Fatalf("%s: %v", keys, err)
	}
	scope := searchScope{
		sel:   &selected{uids: []mailbox.UID{10, 20, 30, 40}, recent: []mailbox.UIDRange{{Low: 30, High: 1<<32 - 1}}},
		saved: []mailbox.UIDRange{{Low: 20, High: 25}, {Low: 40, High: 40}},
		now:   noon,
		keyword: func(name string) mailbox.Flags {
			if strings.EqualFold(name, "$Junk") {
				return mailbox.KeywordFlag(3)
			}
			return 0
		},
	}
	return scope.compile(&q.Key)
}

var letter = crlf(`
From: Ärger <a@example.net>, "Second Person" <second@example.org>
To: friends: one@example.net, Two <two@example.net>;
Cc: =?utf-8?q?J=C3=BCrgen?= <j@example.net>
Subject: =?iso-8859-1?q?Gr=FC=DFe?=
 to all
Date: Mon, 4 May 2026 23:30:00 -0500
X-Twice: first
X-Twice: second
X-Empty:
Content-Type: multipart/mixed; boundary=b

preamble with lemon
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable
Content-Description: pear

=C4pfel and an=
anas
--b
Content-Type: text/plain
Content-Transfer-Encoding: base64

cGx1bQ==
--b
Content-Type: image/png
Content-Transfer-Encoding: base64

Y2hlcnJ5
--b
Content-Type: message/rfc822

Subject: inner cherry

inner text
--b--
`)

// TestSearchKeys: one message, number 2, UID 20.
func TestSearchKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key  string
		want bool
	}{
		{"ALL", true}, {"NOT ALL", false}, {"(ALL ALL)", true},
		{"2", true}, {"1", false}, {"1:3", true}, {"*", false}, {"1:*", true}, {"3:*", false}, {"99", false}, {"99:*", false},
		{"UID 20", true}, {"UID 15:25", true}, {"UID 21:39", false}, {"UID *", false},
		{"$", true}, {"UID $", true}, {"NOT $", false},
		{"SEEN", true}, {"UNSEEN", false}, {"FLAGGED", false}, {"UNFLAGGED", true},
		{"RECENT", false}, {"OLD", true}, {"NEW", false},
		{"KEYWORD $junk", true}, {"UNKEYWORD $JUNK", false}, {"KEYWORD other", false}, {"UNKEYWORD other", true},
		{"MODSEQ 7", true}, {"MODSEQ 8", false}, {`MODSEQ "/flags/\\draft" all 7`, true},
		{"OR FLAGGED SEEN", true}, {"OR FLAGGED DRAFT", false}, {"FLAGGED SEEN", false}, {"SEEN NOT FLAGGED", true},
		{"NOT (SEEN FLAGGED)", true}, {"OR (SEEN FLAGGED) (SEEN NOT DRAFT)", true},

		{"LARGER 700", true}, {"SMALLER 700", false},
		{"ON 3-May-2026", true}, {"ON 4-May-2026", false}, {"BEFORE 4-May-2026", true}, {"BEFORE 3-May-2026", false},
		{"SINCE 3-May-2026", true}, {"SINCE 4-May-2026", false},
		{"SENTON 4-May-2026", true}, {"SENTON 5-May-2026", false}, {"SENTBEFORE 5-May-2026", true}, {"SENTBEFORE 4-May-2026", false},
		{"SENTSINCE 4-May-2026", true}, {"SENTSINCE 5-May-2026", false},
		{"OLDER 100", true}, {"OLDER 100000", false}, {"YOUNGER 100000", true}, {"YOUNGER 100", false},
		{"SAVEDATESUPPORTED", true}, {"THREADID T1", false},

		{"FROM a@example.net", true}, {"FROM second", true}, {`FROM "second person <s"`, true}, {"FROM nobody", false},
		{"TO friends", true}, {"TO two@example", true}, {"TO second@", false}, {"BCC a", false}, {`BCC ""`, false},
		{`SUBJECT "to ALL"`, true}, {"SUBJECT =?iso", false}, {`SUBJECT ""`, true}, {"CC example.net", true},
		{"HEADER X-Twice second", true}, {"HEADER x-twice third", false}, {`HEADER X-Empty ""`, true}, {`HEADER X-None ""`, false},
		{"HEADER X-Empty a", false}, {"HEADER From second", true}, {`NOT HEADER X-None ""`, true},

		{"BODY pear", false}, {"TEXT pear", true}, {"TEXT folded", false}, {"TEXT X-TWICE", true}, {"BODY first", false}, {"TEXT first", true},
		{"BODY ananas", true}, {"BODY plum", true}, {"BODY cherry", true}, {`BODY "inner text"`, true}, {"TEXT lemon", false},
		{"BODY Y2hlcnJ5", false}, {`BODY ""`, true}, {`TEXT ""`, true}, {`BODY plumcherry`, false},
	} {
		wantSearch(t, test.key, test.want)
	}
	for text, want := range map[string]bool{"ÄRGER": true, "jürgen": true, "GRÜßE TO": true, "äpfel": true, "ärgerlich": false} {
		wantSearch(t, "CHARSET UTF-8 TEXT {"+strconv.Itoa(len(text))+"+}\r\n"+text, want)
	}
}

func wantSearch(t *testing.T, key string, want bool) {
	t.Helper()
	p, err := compileSearch(t, key)
	if err != nil {
		t.Errorf("%s: %v", key, err)
		return
	}
	m := &candidate{number: 2, row: mailbox.Row{UID: 20, Flags: mailbox.Seen | mailbox.KeywordFlag(3), ModSeq: 7}, opened: *open(t, letter)}
	m.head.Date = noon.Add(-13 * 3600e9) // the day before, at eleven in the evening
	if got, err := p.open(m); err != nil || got != want {
		t.Errorf("%s: %v, %v, want %v", key, got, err, want)
	}
}

// TestSearchOpensLittle: a message is opened no further than its verdict needs.
func TestSearchOpensLittle(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key  string
		want stage
	}{
		{"SEEN", stageTable},
		{"OR SEEN BODY x", stageTable},
		{"BODY x UNSEEN", stageTable},
		{"NOT (TEXT x UNSEEN)", stageTable},
		{"BODY x LARGER 999999", stageInfo},
		{"BODY x SUBJECT nothing", stageInfo},
		{"HEADER From nothing", stageInfo},
		{"BODY x HEADER X-Twice nothing", stageHeader},
		{"TEXT ananas", stageText},
	} {
		p, err := compileSearch(t, test.key)
		if err != nil {
			t.Fatal(err)
		}
		m := &candidate{row: mailbox.Row{Flags: mailbox.Seen}, opened: *open(t, letter)}
		got := stageTable
		for v := undecided; ; got++ {
			if v, err = p.root.judge(m, got); err != nil {
				t.Fatal(err)
			}
			if v != undecided {
				break
			}
		}
		if got != test.want {
			t.Errorf("%s is decided at stage %d, want %d", test.key, got, test.want)
		}
	}
}

// TestSearchLimits: what could take too long is refused.
func TestSearchLimits(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"keys":  strings.Repeat("SEEN ", maxConditions) + "SEEN",
		"texts": strings.Repeat("BODY x ", maxNeedles) + "BODY x",
	} {
		var status *statusError
		if _, err := compileSearch(t, key); !errors.As(err, &status) || status.code != imap.ResponseCodeLimit {
			t.Errorf("too many %s: %v", name, err)
		}
	}
	if _, err := compileSearch(t, "TEXT {1+}\r\n\xff"); err != errBadCharset {
		t.Errorf("text that is not UTF-8: %v", err)
	}
}

// TestVerdicts: whatever the order of stages, the verdict is that of plain logic.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c, want := randomCondition(r, 4)
		got, err := (&program{root: c}).open(&candidate{})
		if err != nil || got != want {
			t.Fatalf("%#v: %v, %v, want %v", c, got, err, want)
		}
	}
}

// randomCondition returns a condition and what it comes to.
func randomCondition(r *rand.Rand, depth int) (condition, bool) {
	kind := r.IntN(4)
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		c, is := randomCondition(r, depth-1)
		return not{c}, !is
	case 2, 3:
		var list []condition
		all, one := true, false
		for range r.IntN(4) {
			c, is := randomCondition(r, depth-1)
			list, all, one = append(list, c), all && is, one || is
		}
		if kind == 2 {
			return every(list), all
		}
		return either(list), one
	}
	is := r.IntN(2) == 0
	return test{stage(r.IntN(4)), func(*candidate) (bool, error) { return is, nil }}, is
}

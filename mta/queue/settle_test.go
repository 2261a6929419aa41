package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

var (
	ok     = verdict{outcome: delivered, status: enhanced{2, 0, 0}}
	no     = verdict{outcome: failed, status: enhanced{5, 1, 1}, reply: reply{550, enhanced{5, 1, 1}, "no such user"}}
	notNow = verdict{outcome: deferred, status: enhanced{4, 4, 1}, err: errNoAnswer}
)

// TestResolve: what follows from an attempt, for letters of an age and recipients
// with a wish. The outcome is a letter for each recipient: L left, F failed, D left
// and delay told, R relayed, and a dash for one who is simply done.
func TestResolve(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		age      time.Duration
		delays   int // told before
		notify   string
		verdicts []verdict
		tells    bool
		want     string
		told     int
	}{
		{"delivered", 0, 0, "", []verdict{ok, ok}, false, "--", 0},
		{"each its own", time.Minute, 0, "", []verdict{ok, no, notNow}, true, "-FL", 0},
		{"first notice", time.Hour, 0, "", []verdict{notNow, ok}, true, "D-", 1},
		{"between notices", 2 * time.Hour, 1, "", []verdict{notNow}, true, "L", 1},
		{"second notice", 12 * time.Hour, 1, "", []verdict{notNow}, true, "D", 2},
		{"both notices are one", 13 * time.Hour, 0, "", []verdict{notNow}, true, "D", 2},
		{"no third notice", 40 * time.Hour, 2, "", []verdict{notNow}, true, "L", 2},
		{"too old", 48 * time.Hour, 2, "", []verdict{notNow, ok}, true, "F-", 2},
		{"never", time.Hour, 0, "NEVER", []verdict{no, notNow, ok}, false, "-L-", 1},
		{"never, too old", 48 * time.Hour, 2, "NEVER", []verdict{notNow}, false, "-", 2},
		{"failure only", time.Hour, 0, "FAILURE", []verdict{no, notNow, ok}, false, "FL-", 1},
		{"delay only", time.Hour, 0, "delay", []verdict{no, notNow, ok}, false, "-D-", 1},
		{"success, passed on", 0, 0, "SUCCESS", []verdict{ok}, true, "-", 0},
		{"success, not passed on", 0, 0, "SUCCESS,FAILURE", []verdict{ok, no}, false, "RF", 0},
	} {
		l := &mailbox.Letter{Created: created, Delays: c.delays}
		for i := range c.verdicts {
			l.To = append(l.To, mailbox.Addressee{Address: addr.MustParse(fmt.Sprintf("r%d@there.example", i)), Notify: c.notify})
		}
		got := resolve(l, c.verdicts, c.tells, created.Add(c.age), 48*time.Hour)
		if s := letters(l, got); s != c.want || got.delays != c.told {
			t.Errorf("%s: got %s and %d notices, want %s and %d", c.name, s, got.delays, c.want, c.told)
		}
	}
}

// letters writes a resolution as TestResolve does.
func letters(l *mailbox.Letter, r resolution) string {
	marks := map[addr.Address]string{}
	for mark, list := range map[string][]mailbox.Addressee{"L": r.left, "F": r.failed, "R": r.relayed} {
		for _, a := range list {
			marks[a.Address] += mark
		}
	}
	for _, a := range r.delayed {
		marks[a.Address] = "D"
	}
	s := ""
	for _, a := range l.To {
		if marks[a.Address] == "" {
			s += "-"
		}
		s += marks[a.Address]
	}
	return s
}

// TestReasons: what is remembered of an attempt is a status and words.
func TestReasons(t *testing.T) {
	t.Parallel()
	l := &mailbox.Letter{Created: time.Now(), To: make([]mailbox.Addressee, 2)}
	res := resolve(l, []verdict{no, notNow}, true, l.Created, time.Hour)
	got := []string{res.failed[0].Status, res.failed[0].Reason, res.left[0].Status, res.left[0].Reason}
	want := []string{"5.1.1", "550 5.1.1 no such user", "4.4.1", "the server does not answer"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	res = resolve(l, []verdict{no, notNow}, true, l.Created.Add(time.Hour), time.Hour)
	if got := res.failed[1].Status; got != "4.4.7" {
		t.Errorf("too old: got status %s, want 4.4.7", got)
	}
}

// TestNextDue: attempts come less and less often, and never later than a notice or
// the end.
func TestNextDue(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	l := &mailbox.Letter{Created: created}
	now, delays := created, 0
	marks := map[time.Duration]bool{}
	for now.Before(created.Add(48 * time.Hour)) {
		next := nextDue(l, delays, now, 48*time.Hour)
		if step := next.Sub(now); step <= 0 || step > 2*time.Hour+24*time.Minute {
			t.Fatalf("after %d attempts the next is in %v", l.Attempts, step)
		}
		now = next
		marks[now.Sub(created)] = true
		for delays < len(noticesAfter) && now.Sub(created) >= noticesAfter[delays] {
			delays++
		}
		l.Attempts++
	}
	for _, at := range []time.Duration{time.Hour, 12 * time.Hour, 48 * time.Hour} {
		if !marks[at] {
			t.Errorf("there is no attempt %v after the beginning", at)
		}
	}
	if l.Attempts < 25 || l.Attempts > 40 {
		t.Errorf("there are %d attempts in two days, want about 30", l.Attempts)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attempts int
		chance   float64
		want     time.Duration
	}{{1, 0, time.Minute}, {1, 1, 72 * time.Second}, {8, 0, 2 * time.Hour}, {100, 0.5, 132 * time.Minute}} {
		if got := backoff(c.attempts, c.chance); got != c.want {
			t.Errorf("after %d attempts: got %v, want %v", c.attempts, got, c.want)
		}
	}
}

// TestBlocked: many silent servers and none that answers are our own fault.
func TestBlocked(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var h health
	note := func(domain string, err error) { h.note(domain, err, now) }
	for _, domain := range []string{"a.example", "b.example", "a.example"} {
		note(domain, errNoAnswer)
	}
	if h.sum(now).Blocked {
		t.Error("two silent domains are taken for a blocked port")
	}
	note("c.example", errNotThere)
	if !h.sum(now).Blocked {
		t.Error("three silent domains and no other are not taken for a blocked port")
	}
	note("e.example", errNoName)
	note("f.example", errDNS)
	note("abc.onion", nil)
	if !h.sum(now).Blocked {
		t.Error("what says nothing of port 25 is taken for an answer")
	}
	note("d.example", errCertName)
	for _, domain := range []string{"a.example", "b.example", "c.example"} {
		note(domain, errNoAnswer)
	}
	if h.sum(now.Add(blockedWithin - time.Second)).Blocked {
		t.Error("a server has answered a moment ago")
	}
	if !h.sum(now.Add(blockedWithin)).Blocked {
		t.Error("no server has answered for a while")
	}
	if h.sum(now.Add(25 * time.Hour)).Blocked {
		t.Error("what was silent a day ago still counts")
	}
}

// TestBlockedFew: where one or two domains are all that was tried, it takes a few
// minutes of silence and no answer from any server.
func TestBlockedFew(t *testing.T) {
	t.Parallel()
	start := time.Now()
	type event struct {
		after  time.Duration
		domain string
		err    error
	}
	for _, c := range []struct {
		name   string
		events []event
		want   bool
	}{
		{"one attempt", []event{{0, "a.example", errNoAnswer}}, false},
		{"two attempts within a minute", []event{{0, "a.example", errNoAnswer}, {time.Minute, "a.example", errNoAnswer}}, false},
		{"one domain for minutes", []event{{0, "a.example", errNoAnswer}, {3 * time.Minute, "a.example", errNoAnswer}}, true},
		{"one of two domains for minutes", []event{{0, "a.example", errUnreachable}, {2 * time.Minute, "b.example", errNoAnswer}, {3 * time.Minute, "a.example", errNotThere}}, true},
		{"DNS does not answer", []event{{0, "a.example", errDNS}, {3 * time.Minute, "a.example", errDNS}}, false},
		{"another has answered", []event{{0, "a.example", errNoAnswer}, {time.Minute, "b.example", nil}, {3 * time.Minute, "a.example", errNoAnswer}}, false},
		{"a slow server has answered", []event{{0, "a.example", errNoAnswer}, {3 * time.Minute, "a.example", errSlow}}, false},
		{"silence since the last answer", []event{{-4 * time.Minute, "a.example", nil}, {0, "a.example", errNoAnswer}, {3 * time.Minute, "a.example", errNoAnswer}}, true},
		{"silence just after an answer", []event{{-time.Minute, "a.example", nil}, {0, "a.example", errNoAnswer}, {3 * time.Minute, "a.example", errNoAnswer}}, false},
	} {
		var h health
		for _, e := range c.events {
			h.note(e.domain, e.err, start.Add(e.after))
		}
		if got := h.sum(start.Add(3 * time.Minute)); got.Blocked != c.want || !got.Few {
			t.Errorf("%s: got %+v, want blocked %v", c.name, got, c.want)
		}
	}
}

// TestNoDNS: a resolver that answers for no domain is told from one domain whose DNS
// is broken, and forgotten with its first answer.
func TestNoDNS(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var h health
	h.note("a.example", errDNS, now)
	if h.sum(now).NoDNS {
		t.Error("one domain's failure is taken for the resolver's")
	}
	h.note("a.example", errDNS, now.Add(blockedFor))
	if !h.sum(now.Add(blockedFor)).NoDNS {
		t.Error("minutes without an answer are not told")
	}
	h.note("[192.0.2.1]", errLiteral, now)
	if !h.sum(now.Add(blockedFor)).NoDNS {
		t.Error("what asks no resolver is taken for an answer")
	}
	h.note("b.example", errNoName, now.Add(blockedFor))
	if h.sum(now.Add(blockedFor)).NoDNS {
		t.Error("a resolver that says no has answered")
	}
}

// TestRelayHostSilent: a relay host that is down says nothing of a port.
func TestRelayHostSilent(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, relay := range []*RelayHost{nil, {Name: "smtp.example"}} {
		w := Worker{router: &router{relay: relay}, now: func() time.Time { return start.Add(time.Hour) }}
		for _, after := range []time.Duration{0, 3 * time.Minute} {
			w.health.note("a.example", errNoAnswer, start.Add(after))
		}
		if h := w.Health(); h.Blocked != (relay == nil) || h.Silent != 1 {
			t.Errorf("with relay host %v: got %+v", relay, h)
		}
	}
}

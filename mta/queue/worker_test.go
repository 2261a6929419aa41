package queue

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// TestDelivers: what is in the queue goes out, what comes meanwhile too, and
// several messages share connections.
func TestDelivers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.send(t, letter("first"), "bert@there.example", "carl@there.example")
	h.start(t)
	until(t, "the first is there", func() bool { return len(h.sink.got()) == 1 })
	got := h.sink.got()[0]
	if got.Body != letter("first") || len(got.To) != 2 || got.From != "anna@here.example" {
		t.Errorf("got %+v", got)
	}
	for range 20 {
		n := len(h.sink.got())
		h.send(t, letter("next"), "bert@there.example")
		until(t, "the next is there", func() bool { return len(h.sink.got()) == n+1 })
	}
	until(t, "the queue is empty", func() bool { return len(h.queued(t)) == 0 })
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	if h.sink.conns > 4 {
		t.Errorf("21 messages one after the other took %d sessions, want one connection with two", h.sink.conns)
	}
	if mails := h.inbox(t); len(mails) != 0 {
		t.Errorf("there are reports: %q", mails)
	}
}

// TestPermanentFailure: the sender gets a report that programs and people can
// read, about who can't be reached, and the others get their mail.
func TestPermanentFailure(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.send(t, letter("half"), "bert@there.example", "gone@there.example", "gone2@there.example/NEVER")
	signed := 0
	h.start(t, func(o *Options) {
		o.Sign = func(io.Reader) ([]byte, error) {
			signed++
			return []byte("X-Signature: yes\r\n"), nil
		}
	})
	until(t, "the queue is empty", func() bool { return len(h.queued(t)) == 0 })
	mails := h.inbox(t)
	if len(mails) != 1 || signed != 1 || !strings.HasPrefix(mails[0], "X-Signature: yes\r\n") {
		t.Fatalf("got %d reports, %d signed, want one that is signed: %q", len(mails), signed, mails)
	}
	r := parseReport(t, mails[0])
	for part, wants := range map[string][]string{
		"text/plain":              {"gone@there.example", "550 5.1.1 no [redacted]"},
		"message/delivery-status": {"Final-Recipient: rfc822; gone@there.example\r\nAction: failed\r\nStatus: 5.1.1\r\n", "Reporting-MTA: dns; mail.here.example"},
		"text/rfc822-headers":     {"Message-ID: <half@here.example>\r\n"},
	} {
		for _, want := range wants {
			if !strings.Contains(r[part], want) {
				t.Errorf("%s lacks %q:\n%s", part, want, r[part])
			}
		}
	}
	for _, mark := range []string{"gone2", "bert", "The text of"} {
		if strings.Contains(mails[0], mark) {
			t.Errorf("the report has %q in it", mark)
		}
	}
	if got := h.sink.got(); len(got) != 1 || len(got[0].To) != 1 {
		t.Errorf("bert got %+v", got)
	}
}

// parseReport returns the parts of a report by type.
func parseReport(t *testing.T, text string) map[string]string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("got a message of type %s, %v", kind, err)
	}
	if m.Header.Get("Auto-Submitted") == "" || m.Header.Get("Message-ID") == "" {
		t.Errorf("the report lacks fields: %v", m.Header)
	}
	parts := map[string]string{}
	for in := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := in.NextPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		parts[kind] = string(content)
	}
}

// TestRetries: a server that is down is tried again, its sender hears of it after
// an hour and after half a day, and when it is back the mail arrives.
func TestRetries(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	delete(h.network.servers, "192.0.2.1:25")
	h.send(t, letter("patience"), "bert@there.example")
	w, _ := h.start(t)
	waiting := func(attempts int) {
		t.Helper()
		until(t, "an attempt was made", func() bool { q := h.queued(t); return len(q) == 1 && q[0].Attempts >= attempts })
	}
	waiting(1)
	if q := h.queued(t)[0]; q.To[0].Status != "4.4.1" || q.To[0].Reason != "the server refuses connections" {
		t.Errorf("got status %q and reason %q", q.To[0].Status, q.To[0].Reason)
	}
	began := h.queued(t)[0].Created
	for len(h.inbox(t)) < 2 {
		q := h.queued(t)[0]
		h.advance(q.Due.Sub(h.now()))
		waiting(q.Attempts + 1)
		if q.Attempts >= 2 && !w.Health().Blocked {
			t.Fatalf("%v of silence are not taken for a blocked port", h.now().Sub(began))
		}
		if h.now().Sub(began) > 13*time.Hour {
			t.Fatal("there are no two notices after 13 hours")
		}
	}
	if got := h.now().Sub(began); got != 12*time.Hour {
		t.Errorf("the second notice came after %v, want 12h", got)
	}
	for _, text := range h.inbox(t) {
		if s := parseReport(t, text)["message/delivery-status"]; !strings.Contains(s, "Action: delayed\r\nStatus: 4.4.1\r\n") || !strings.Contains(s, "Will-Retry-Until: Wed, 25 Nov 2026 12:00:00 +0000") {
			t.Errorf("got status\n%s", s)
		}
		if !strings.Contains(text, "outgoing port 25 seems to be blocked,\r\nor the few servers that it tried are down.") {
			t.Errorf("the notice does not name the port:\n%s", text)
		}
	}
	h.network.set("192.0.2.1:25", h.sink.address)
	h.advance(3 * time.Hour)
	until(t, "it arrives", func() bool { return len(h.sink.got()) == 1 })
}

// TestComesBack: after two days a message comes back.
func TestComesBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.network.set("192.0.2.1:25", "")
	h.send(t, letter("late"), "bert@there.example")
	h.advance(48 * time.Hour)
	h.start(t)
	until(t, "the queue is empty", func() bool { return len(h.queued(t)) == 0 })
	mails := h.inbox(t)
	if len(mails) != 1 || !strings.Contains(mails[0], "Action: failed\r\nStatus: 4.4.7\r\n") {
		t.Errorf("got %q, want one report that the time is over", mails)
	}
}

// TestNoBackscatter: mail from the null sender that fails makes no report, nor does
// mail from an address that is not here any more.
func TestNoBackscatter(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.sendFrom(t, addr.Address{}, letter("report"), "gone@there.example")
	h.sendFrom(t, addr.MustParse("nobody@here.example"), letter("orphan"), "gone@there.example")
	h.start(t)
	until(t, "the queue is empty", func() bool { return len(h.queued(t)) == 0 })
	if got := h.inbox(t); len(got) != 0 {
		t.Errorf("got reports %q", got)
	}
	if got := h.sink.got(); len(got) != 0 {
		t.Errorf("somebody else got mail: %+v", got)
	}
}

// TestLeaseOfTheDead: what a worker had taken and not finished when it died is sent
// by another, when the lease is over and not before.
func TestLeaseOfTheDead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.send(t, letter("inherited"), "bert@there.example")
	o := h.Outbox()
	leases, err := o.Claim(t.Context(), time.Hour, 10)
	if err != nil || len(leases) != 1 {
		t.Fatal(leases, err)
	}
	dead, err := o.Take(t.Context(), leases[0], 10)
	if err != nil || len(dead) != 1 {
		t.Fatal(dead, err)
	}
	h.start(t)
	h.advance(59 * time.Minute)
	h.send(t, letter("elsewhere"), "gone@nowhere.example") // it is looked at after the claim
	until(t, "the other has come back", func() bool { return len(h.inbox(t)) == 1 })
	if got := h.sink.got(); len(got) != 0 {
		t.Fatal("the letter of another worker was sent")
	}
	h.advance(time.Minute)
	until(t, "it arrives", func() bool { return len(h.sink.got()) == 1 })
	if err := o.Finish(t.Context(), leases[0], dead[0]); err == nil {
		t.Error("the dead worker could finish what another has finished")
	}
}

// TestServerDown: of many letters for a server that is down, few try to connect.
func TestServerDown(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.network.set("192.0.2.1:25", "")
	for range 50 {
		h.send(t, letter("heap"), "bert@there.example")
	}
	h.start(t)
	until(t, "all were tried", func() bool {
		for _, l := range h.queued(t) {
			if l.Attempts == 0 {
				return false
			}
		}
		return true
	})
	// At most one attempt of each connection was under way when the first failed.
	if n := h.network.dialled(); n > 2*(Limits{}).withDefaults().PerDestination {
		t.Errorf("50 letters made %d attempts to connect", n)
	}
}

// TestReusedConnectionEnded: a server that ends a connection at rest gets the next
// message on a new one, at once.
func TestReusedConnectionEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(s *smtp.Server) { s.ReadTimeout = 50 * time.Millisecond })
	h.start(t)
	h.send(t, letter("one"), "bert@there.example")
	until(t, "the first is there", func() bool { return len(h.sink.got()) == 1 })
	until(t, "the server has hung up", func() bool { return h.sink.ended() >= 1 })
	h.send(t, letter("two"), "bert@there.example")
	until(t, "the second is there", func() bool { return len(h.sink.got()) == 2 })
}

// TestStopWaits: a worker that is stopped lets a message under way come to its end,
// and breaks it off when that takes too long; then it is sent again.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	for _, patient := range []bool{true, false} {
		h := newHouse(t)
		hold, release := h.sink.hold()
		h.send(t, letter("held"), "bert@there.example")
		_, stop := h.start(t, func(o *Options) {
			if !patient {
				o.Limits.Stop = 20 * time.Millisecond
			}
		})
		<-hold
		if patient {
			go func() { time.AfterFunc(30*time.Millisecond, release) }()
		}
		stop()
		release()
		if left := len(h.queued(t)); (left == 0) != patient {
			t.Errorf("patient %v: %d letters are left", patient, left)
		}
		if !patient {
			h.start(t)
			until(t, "it is sent again", func() bool { return len(h.queued(t)) == 0 })
		}
	}
}

// TestRelayedReport: who asked to hear of success hears that a server passes no
// requests for reports on.
func TestRelayedReport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.network.set("192.0.2.1:25", newSink(t, func(s *smtp.Server) { s.EnableDSN = false }).address)
	h.send(t, letter("wish"), "bert@there.example/SUCCESS")
	h.start(t)
	until(t, "there is a report", func() bool { return len(h.inbox(t)) == 1 })
	if text := h.inbox(t)[0]; !strings.Contains(text, "Action: relayed\r\nStatus: 2.0.0\r\n") {
		t.Errorf("got %q", text)
	}
}

// TestOperatorLimit: a long list ends with the number of those it leaves out.
func TestOperatorLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 3 {
		h.send(t, letter("one of many"), "bert@there.example")
	}
	for limit, want := range map[int]string{0: "", 1: "and 2 more\n", 3: ""} {
		var out bytes.Buffer
		o := &Operator{Outbox: h.Outbox(), Now: h.now, Limit: limit}
		if err := o.List(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(out.String(), want) || strings.Contains(out.String(), "more") != (want != "") {
			t.Errorf("limit %d: got %q, want %q at its end", limit, &out, want)
		}
	}
}

func TestOperator(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.network.set("192.0.2.1:25", "")
	h.send(t, letter("seen"), "bert@there.example", "carl@there.example")
	_, stop := h.start(t)
	until(t, "it was tried", func() bool { return h.queued(t)[0].Attempts == 1 })
	stop()
	id := h.queued(t)[0].ID
	o := &Operator{Outbox: h.Outbox(), Now: h.now}
	for _, addresses := range []bool{false, true} {
		o.Addresses = addresses
		var out bytes.Buffer
		for _, f := range []func() error{
			func() error { return o.List(t.Context(), &out) },
			func() error { return o.Show(t.Context(), &out, id) },
			func() error { return o.Why(t.Context(), &out, id) },
		} {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
		for _, want := range []string{id.String(), "4.4.1 the server refuses connections", "attempts:"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the output lacks %q:\n%s", want, &out)
			}
		}
		if got := strings.Contains(out.String(), "there.example"); got != addresses {
			t.Errorf("addresses %v, and the output has addresses: %v\n%s", addresses, got, &out)
		}
	}
	if err := o.Retry(t.Context(), id); err != nil || h.queued(t)[0].Due.After(h.now()) {
		t.Errorf("retry: %v, and it is due at %v", err, h.queued(t)[0].Due)
	}
	if n, err := o.RetryAll(t.Context()); n != 1 || err != nil {
		t.Errorf("retry all: %d, %v", n, err)
	}
	if err := o.Drop(t.Context(), id); err != nil || len(h.queued(t)) != 0 {
		t.Errorf("drop: %v, and there are %d letters", err, len(h.queued(t)))
	}
	for name, err := range map[string]error{"show": o.Show(t.Context(), io.Discard, id), "retry": o.Retry(t.Context(), id), "drop": o.Drop(t.Context(), id)} {
		if err == nil || !strings.Contains(err.Error(), mailbox.ErrGone.Error()) {
			t.Errorf("%s of what is not there: got %v", name, err)
		}
	}
}

func TestNewOptions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	good := Options{Outbox: h.Outbox(), Hostname: "a.example", Domain: "a.example", Resolver: h.resolver}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"no outbox":        func(o *Options) { o.Outbox = nil },
		"no resolver":      func(o *Options) { o.Resolver = nil },
		"no name":          func(o *Options) { o.Hostname = "" },
		"all but no proxy": func(o *Options) { o.ProxyAll = true },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

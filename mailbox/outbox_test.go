package mailbox_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// sending is what goes to the addresses given.
func sending(to ...string) mailbox.Sending {
	away := mailbox.Sending{Header: []byte("X-Signature: yes\r\n"), RequireTLS: true, EnvelopeID: "Q1"}
	for _, a := range to {
		away.To = append(away.To, mailbox.Addressee{Address: addr.MustParse(a), Notify: "FAILURE", Original: "rfc822;" + a})
	}
	return away
}

// dispatch sends a message of b's to recipients here and elsewhere.
func (w *world) dispatch(tb testing.TB, text string, here []string, away mailbox.Sending) error {
	tb.Helper()
	return w.Dispatch(tb.Context(), addr.MustParse("b@example.org"), w.recipients(tb, here...), away, w.receive(tb, text))
}

// take leases everything that is due, and takes it, by domain.
func (w *world) take(tb testing.TB) (map[string]*mailbox.Letter, map[string]mailbox.Lease) {
	tb.Helper()
	o := w.Outbox()
	leases, err := o.Claim(tb.Context(), time.Minute, 100)
	if err != nil {
		tb.Fatal(err)
	}
	letters, held := map[string]*mailbox.Letter{}, map[string]mailbox.Lease{}
	for _, lease := range leases {
		ls, err := o.Take(tb.Context(), lease, 100)
		if err != nil {
			tb.Fatal(err)
		}
		for _, l := range ls {
			letters[l.Domain], held[l.Domain] = l, lease
		}
	}
	return letters, held
}

var compareLetters = cmp.Options{cmpopts.IgnoreUnexported(mailbox.Letter{}), cmp.AllowUnexported(addr.Address{}),
	cmpopts.IgnoreFields(mailbox.Letter{}, "ID")}

// TestQueueLimit: a full queue refuses what would go beyond it, whole, and takes more
// when it has emptied.
func TestQueueLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *mailbox.Options) { o.Limits.Queue = 3 })
	text := "From: b@example.org\r\n\r\nHello.\r\n"
	for _, c := range []struct {
		name string
		to   []string
		want error
	}{
		{"one domain", []string{"x@one.example", "y@one.example"}, nil},
		{"three more domains", []string{"x@one.example", "x@two.example", "x@three.example"}, mailbox.ErrFull},
		{"two more domains", []string{"x@one.example", "x@two.example"}, nil},
		{"one too many", []string{"x@one.example"}, mailbox.ErrFull},
	} {
		if err := w.dispatch(t, text, nil, sending(c.to...)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	letters, leases := w.take(t)
	if err := w.Outbox().Finish(t.Context(), leases["two.example"], letters["two.example"]); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	if err := w.dispatch(t, text, nil, sending("x@two.example")); err != nil {
		t.Errorf("after one was delivered: %v", err)
	}
}

// TestDispatch: one message goes to a mailbox here and to two domains, and is the
// same everywhere but for the header that is put before it.
func TestDispatch(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{0, 5000} {
		w := newWorld(t)
		x, _ := w.owner(t, "c@example.org")
		text := message("away", lines)
		if err := w.dispatch(t, text, []string{"c@example.org"}, sending("x@one.example", "y@two.example", "z@one.example")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[mailbox.UID]string{1: text}, texts(t, x, mailbox.Inbox)); diff != "" {
			t.Error(diff)
		}
		letters, held := w.take(t)
		away := sending("x@one.example", "z@one.example")
		want := &mailbox.Letter{
			From: addr.MustParse("b@example.org"), Domain: "one.example", To: away.To, Created: w.clock.Now(), Due: w.clock.Now(),
			Size: int64(len(away.Header) + len(text)), RequireTLS: true, EnvelopeID: "Q1",
		}
		if diff := cmp.Diff(want, letters["one.example"], compareLetters); diff != "" {
			t.Error(diff)
		}
		for domain, l := range letters {
			if got := readLetter(t, w, l); got != string(away.Header)+text {
				t.Errorf("%s: got a message of %d bytes, want %d", domain, len(got), l.Size)
			}
			if err := w.Outbox().Finish(t.Context(), held[domain], l); err != nil {
				t.Error(err)
			}
		}
		if len(letters) != 2 {
			t.Errorf("got letters for %d domains, want 2", len(letters))
		}
	}
}

func readLetter(tb testing.TB, w *world, l *mailbox.Letter) string {
	tb.Helper()
	r, err := w.Outbox().Open(tb.Context(), l)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// TestDispatchAllOrNothing: when it can't be stored here, it does not go elsewhere.
func TestDispatchAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.account(t, "c@example.org")
	to := w.recipients(t, "c@example.org")
	if err := w.SetState(t.Context(), c.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	err := w.Dispatch(t.Context(), addr.MustParse("b@example.org"), to, sending("x@one.example"), w.receive(t, message("no", 0)))
	if !errors.Is(err, mailbox.ErrDisabled) {
		t.Errorf("got %v, want ErrDisabled", err)
	}
	if letters, _ := w.take(t); len(letters) != 0 {
		t.Errorf("got letters %v, want none", letters)
	}
}

func TestHighBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text     string
		eightBit, utf8 bool
	}{
		{"ascii", message("plain", 3000), false, false},
		{"body", message("body", 3000) + "\xc3\xa4\r\n", true, false},
		{"header", "X: \xc3\xa4\r\n" + message("header", 0), true, true},
	} {
		w := newWorld(t)
		if err := w.dispatch(t, c.text, nil, sending("x@one.example")); err != nil {
			t.Fatal(err)
		}
		letters, _ := w.take(t)
		if l := letters["one.example"]; l.EightBit != c.eightBit || l.UTF8 != c.utf8 {
			t.Errorf("%s: got 8-bit %v, UTF-8 %v, want %v, %v", c.name, l.EightBit, l.UTF8, c.eightBit, c.utf8)
		}
	}
}

// TestRequeueLetter: what is known of a letter survives until the next attempt, and
// the report about it reaches the sender.
func TestRequeueLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	if err := w.dispatch(t, message("later", 0), nil, sending("x@one.example", "y@one.example")); err != nil {
		t.Fatal(err)
	}
	letters, held := w.take(t)
	l, lease := letters["one.example"], held["one.example"]
	l.To, l.Delays, l.Due = l.To[1:], 1, w.clock.Now().Add(time.Hour)
	l.To[0].Status, l.To[0].Reason = "4.4.1", "nobody is there"
	report := message("report", 0)
	if err := w.Outbox().Requeue(t.Context(), lease, l, []byte(report)); err != nil {
		t.Fatal(err)
	}
	if err := w.Outbox().Release(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[mailbox.UID]string{1: report}, texts(t, x, mailbox.Inbox)); diff != "" {
		t.Error(diff)
	}
	w.clock.advance(time.Hour)
	letters, _ = w.take(t)
	want := *l
	want.Attempts = 1
	if diff := cmp.Diff(&want, letters["one.example"], compareLetters); diff != "" {
		t.Error(diff)
	}
}

// TestReportsRefused: who can't take a report gets none, and the letter comes to
// its end all the same. Nor does the null sender get one.
func TestReportsRefused(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"", "gone@example.org", "full@example.org", "off@example.org"} {
		w := newWorld(t)
		off := w.account(t, "off@example.org")
		if err := w.SetState(t.Context(), off.Account, mailbox.Disabled); err != nil {
			t.Fatal(err)
		}
		_, err := w.CreateAccount(t.Context(), addr.MustParse("full@example.org"), mailbox.NewAccountOptions{Quota: &mailbox.Quota{Bytes: 10}})
		if err != nil {
			t.Fatal(err)
		}
		var sender addr.Address
		if from != "" {
			sender = addr.MustParse(from)
		}
		if err := w.Dispatch(t.Context(), sender, nil, sending("x@one.example"), w.receive(t, message("lost", 0))); err != nil {
			t.Fatal(err)
		}
		letters, held := w.take(t)
		if err := w.Outbox().Finish(t.Context(), held["one.example"], letters["one.example"], []byte(message("report", 0))); err != nil {
			t.Errorf("sender %q: %v", from, err)
		}
		if _, err := w.Outbox().Letter(t.Context(), letters["one.example"].ID); !errors.Is(err, mailbox.ErrGone) {
			t.Errorf("sender %q: got %v, want ErrGone", from, err)
		}
	}
}

// TestDamagedLetter: a row that was changed, or put in the place of another, is not
// sent, and does not keep the others from being sent.
func TestDamagedLetter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		statements []string
		left       int
	}{
		{"changed", []string{flip("job", "env_ct", "job_id = (SELECT min(job_id) FROM job)", "100")}, 1},
		{"exchanged", swap("job", "env_ct", "job_id = (SELECT min(job_id) FROM job)", "job_id = (SELECT max(job_id) FROM job)"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, domain := range []string{"x@one.example", "x@two.example"} {
				if err := w.dispatch(t, message("hurt", 0), nil, sending(domain)); err != nil {
					t.Fatal(err)
				}
			}
			w.sql(t, c.statements...)
			if letters, _ := w.take(t); len(letters) != c.left {
				t.Errorf("got %d letters, want %d", len(letters), c.left)
			}
			listed := 0
			err := w.Outbox().Each(t.Context(), func(*mailbox.Letter) error { listed++; return nil })
			if err != nil || listed != 2 {
				t.Errorf("the list has %d letters, %v, want 2", listed, err)
			}
			if !strings.Contains(w.log.String(), "read a letter of the queue") {
				t.Error("nothing in the log")
			}
		})
	}
}

// TestQueueIsSealed: nothing of a letter can be read on the disk.
func TestQueueIsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.dispatch(t, message("secretsubject", 5000), nil, sending("marker@secret.example")); err != nil {
		t.Fatal(err)
	}
	checked := 0
	err := filepath.WalkDir(filepath.Dir(w.path), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		checked++
		for _, mark := range []string{"secretsubject", "marker", "secret.example", "worth a line of its own", "b@example.org"} {
			if strings.Contains(string(data), mark) {
				t.Errorf("%s has %q in it", filepath.Base(path), mark)
			}
		}
		return err
	})
	if err != nil || checked < 3 {
		t.Errorf("looked at %d files, %v; want the database, its log and a body", checked, err)
	}
}

func TestOutboxWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var calls counter
	stop := w.Outbox().Watch(func() { calls.next() })
	if err := w.dispatch(t, message("hint", 0), nil, sending("x@one.example")); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return calls.n.Load() > 0 })
	letters, _ := w.take(t)
	id := letters["one.example"].ID
	if err := w.Outbox().Hurry(t.Context(), id); err != nil {
		t.Error(err)
	}
	if got, err := mailbox.ParseJobID(id.String()); got != id || err != nil {
		t.Errorf("got %v and %v, want %v", got, err, id)
	}
	if err := w.Outbox().Drop(t.Context(), id); err != nil {
		t.Error(err)
	}
	stop()
}

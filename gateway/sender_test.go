package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

// bench is a sender with an outbox of one mail to two hidden recipients, a provider
// that answers what the test says, and a clock that the test moves.
type bench struct {
	*sender
	answers  map[string]error // by recipient
	tried    []string
	reported []Outgoing
	clock    time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	v, _ := newVault(t)
	b := &bench{answers: map[string]error{}, clock: day(0)}
	b.sender = &sender{
		box: &outbox{vault: v, dir: t.TempDir()}, now: func() time.Time { return b.clock },
		log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1),
		submit: func(_ context.Context, _ addr.Address, to []addr.Address, msg io.Reader) error {
			b.tried = append(b.tried, to[0].Local())
			if _, err := io.Copy(io.Discard, msg); err != nil {
				t.Error(err)
			}
			return b.answers[to[0].Local()]
		},
		report: func(_ context.Context, item Outgoing) error {
			b.reported = append(b.reported, item)
			return nil
		},
	}
	alice, key := generate(t, "alice@relay.test")
	var to []addr.Address
	contacts := NewContacts(v)
	for _, name := range []string{"bob", "carol"} {
		a, k := generate(t, name+"@relay.test")
		to = append(to, a)
		if _, err := contacts.Update(a, func(p Peer) (Peer, Event) {
			return p.See(a, Sighting{Date: day(0), Cert: k.Cert(), Signer: k.Fingerprint()})
		}); err != nil {
			t.Fatal(err)
		}
	}
	o, err := readOutgoing(strings.NewReader(plain(alice.String(), "list: ;", "", "x")), alice.Equal, to, b.box.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer o.content.close()
	own := &Identity{Address: alice, Current: key}
	k, err := contacts.resolve(&identities{main: own}, own, to, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k.now = time.Now() // not before the keys were made
	item, err := b.box.put(o, k)
	if err != nil {
		t.Fatal(err)
	}
	b.clock = item.Accepted
	return b
}

// round runs one round and returns whom the provider was asked about.
func (b *bench) once(t *testing.T) (tried string, next time.Duration) {
	t.Helper()
	b.tried = nil
	next, err := b.round(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(b.tried, " "), next
}

func (b *bench) left(t *testing.T) int {
	t.Helper()
	items, err := b.box.list()
	if err != nil {
		t.Fatal(err)
	}
	return len(items)
}

var errDown = errors.New("the provider is down")

// TestSenderRetries: a part that the provider has is never sent again, the other is
// tried later and later until it is taken.
func TestSenderRetries(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.answers["carol"] = errDown
	if tried, next := b.once(t); tried != "bob carol" || next != retryFirst {
		t.Fatalf("got %q, next in %v", tried, next)
	}
	b.clock = b.clock.Add(retryFirst - time.Second)
	if tried, next := b.once(t); tried != "" || next != time.Second {
		t.Errorf("too early: got %q, next in %v", tried, next)
	}
	b.clock = b.clock.Add(time.Second)
	if tried, next := b.once(t); tried != "carol" || next != 2*retryFirst {
		t.Errorf("second try: got %q, next in %v", tried, next)
	}
	delete(b.answers, "carol")
	b.clock = b.clock.Add(2 * retryFirst)
	if tried, _ := b.once(t); tried != "carol" || b.left(t) != 0 || len(b.reported) != 0 {
		t.Errorf("third try: got %q, %d left, %d reported", tried, b.left(t), len(b.reported))
	}
}

// TestSenderGivesUp: what is refused for good, or has been tried for five days, is
// reported and leaves.
func TestSenderGivesUp(t *testing.T) {
	t.Parallel()
	refused := &smtp.SMTPError{Code: 550, Message: "no such user"}
	b := newBench(t)
	b.answers["bob"] = refusal(addr.MustParse("bob@relay.test"), refused)
	b.answers["carol"] = errDown
	b.once(t)
	if b.left(t) != 1 || len(b.reported) != 0 {
		t.Fatalf("one part is still to be tried: %d left, %d reported", b.left(t), len(b.reported))
	}
	b.clock = b.clock.Add(giveUpAfter)
	if tried, _ := b.once(t); tried != "carol" {
		t.Errorf("got %q, want Carol only: Bob's part is settled", tried)
	}
	if b.left(t) != 0 || len(b.reported) != 1 {
		t.Fatalf("%d left, %d reported, want none and one", b.left(t), len(b.reported))
	}
	for i, want := range []string{"refused bob@relay.test", "five days"} {
		if got := b.reported[0].Parts[i].Lost; !strings.Contains(got, want) {
			t.Errorf("part %d: got %q, want %q", i, got, want)
		}
	}
}

// TestSenderKeepsWhatIsUnreported: while the user can't be told, the mail stays.
func TestSenderKeepsWhatIsUnreported(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.answers["bob"] = refusal(addr.Address{}, &smtp.SMTPError{Code: 554})
	told := b.report
	b.report = func(context.Context, Outgoing) error { return errDown }
	if _, err := b.round(t.Context(), false); !errors.Is(err, errDown) || b.left(t) != 1 {
		t.Fatalf("got %v, %d left, want the mail to stay", err, b.left(t))
	}
	b.report = told
	if tried, _ := b.once(t); tried != "" || b.left(t) != 0 || len(b.reported) != 1 {
		t.Errorf("got %q, %d left, %d reported", tried, b.left(t), len(b.reported))
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	for n := 1; n <= 7; n++ {
		got = append(got, retryAfter(n))
	}
	s := time.Second
	want := []time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
	if d := retryAfter(1 << 30); d != retryMost {
		t.Errorf("after very many: got %v", d)
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want bool
	}{
		{nil, false}, {errDown, false}, {io.ErrUnexpectedEOF, false},
		{&smtp.SMTPError{Code: 451}, false}, {&smtp.SMTPError{Code: 550}, true}, {&smtp.SMTPError{Code: 999}, false},
	}
	for _, tt := range tests {
		var r *Refusal
		err := refusal(addr.Address{}, tt.err)
		if got := errors.As(err, &r); got != tt.want || (err == nil) != (tt.err == nil) {
			t.Errorf("%v: got %v", tt.err, err)
		}
	}
}

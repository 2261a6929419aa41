package gateway

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// day is a time in the tests, in days after an arbitrary one.
func day(n int) time.Time {
	return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n)
}

// summary is what the table tests compare of a Peer.
type summary struct {
	Verified, Pinned, Proposed, Gossip, WKD string
	Use                                     string // the key mail goes to
	Standing                                Standing
	Err                                     error
	Certs                                   int
}

// TestLearn tells stories of what a gateway learns about Bob, one step after
// another, by the letters of his keys.
func TestLearn(t *testing.T) {
	t.Parallel()
	bob, a := generate(t, "bob@example.org")
	_, b := generate(t, "bob@example.org")
	alice := addr.MustParse("alice@example.org")
	names := map[pgp.Fingerprint]string{a.Fingerprint(): "a", b.Fingerprint(): "b", "": ""}

	type step func(Peer) (Peer, Event)
	see := func(n int, k *pgp.Key, signer pgp.Fingerprint) step {
		return func(p Peer) (Peer, Event) {
			s := Sighting{Date: day(n), Signer: signer}
			if k != nil {
				s.Cert = k.Cert()
			}
			return p.See(bob, s)
		}
	}
	hear := func(n int, k *pgp.Key) step {
		return func(p Peer) (Peer, Event) { return p.Hear(bob, k.Cert(), alice, day(n)) }
	}
	find := func(n int, c *pgp.Cert) step {
		return func(p Peer) (Peer, Event) { return p.Find(bob, c, day(n)) }
	}
	verify := func(k *pgp.Key) step {
		return func(p Peer) (Peer, Event) { return p.Verify(bob, k.Cert(), day(9)), Nothing }
	}
	imported := func(k *pgp.Key) step {
		return func(p Peer) (Peer, Event) { return p.Import(bob, k.Cert(), day(9)), Nothing }
	}
	decide := func(f func(Peer) (Peer, bool), want bool) step {
		return func(p Peer) (Peer, Event) {
			got, ok := f(p)
			if ok != want {
				t.Errorf("the decision counts: got %v, want %v", ok, want)
			}
			return got, Nothing
		}
	}
	accept := func(k *pgp.Key, want bool) step {
		return decide(func(p Peer) (Peer, bool) { return p.Accept(k.Fingerprint()) }, want)
	}
	refuse := func(k *pgp.Key, want bool) step {
		return decide(func(p Peer) (Peer, bool) { return p.Refuse(k.Fingerprint()) }, want)
	}
	fa, fb := a.Fingerprint(), b.Fingerprint()

	tests := []struct {
		name  string
		steps []step
		event Event // of the last step
		want  summary
	}{
		{"nothing", nil, Nothing, summary{Err: ErrNoKey}},
		{"a mail without a key", []step{see(0, nil, "")}, Nothing, summary{Err: ErrNoKey}},
		{"the first key is pinned", []step{see(0, a, fa)}, FirstKey, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 1}},
		{"a mail that nobody signed claims", []step{see(0, a, "")}, FirstKey, summary{Use: "a", Standing: Unknown, Certs: 1}},
		{"and pins nothing later", []step{see(0, a, ""), see(1, b, fb)}, FirstKey, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"and holds nothing", []step{see(0, a, fa), see(1, b, "")}, KeyDiffers, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 2}},
		{"and is outranked by gossip", []step{see(1, b, ""), hear(0, a)}, Nothing, summary{Gossip: "a", Use: "a", Standing: Heard, Certs: 2}},
		{"the newest claim counts", []step{see(1, a, ""), see(0, b, "")}, Nothing, summary{Use: "a", Standing: Unknown, Certs: 1}},
		{"a key that did not sign is not pinned", []step{see(0, a, fb)}, Nothing, summary{Err: ErrNoKey, Certs: 1}},
		{"nor held", []step{see(0, a, fa), see(1, b, "OTHER")}, Nothing, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 2}},
		{"a first mail bears gossip out", []step{hear(0, a), see(1, nil, fa)}, Nothing, summary{Pinned: "a", Gossip: "a", Use: "a", Standing: Pinned, Certs: 1}},
		{"a mail without a key changes nothing", []step{see(0, a, fa), see(1, nil, "")}, Nothing, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 1}},
		{"another key is held", []step{see(0, a, fa), see(1, b, fb)}, KeyHeld, summary{Pinned: "a", Proposed: "b", Standing: Changed, Err: ErrHeld, Certs: 2}},
		{"once", []step{see(0, a, fa), see(1, b, fb), see(2, b, fb)}, Nothing, summary{Pinned: "a", Proposed: "b", Standing: Changed, Err: ErrHeld, Certs: 2}},
		{"a mail with the old key does not release it", []step{see(0, a, fa), see(1, b, fb), see(2, a, fa)}, Nothing, summary{Pinned: "a", Proposed: "b", Standing: Changed, Err: ErrHeld, Certs: 2}},
		{"an old mail that comes late holds nothing", []step{see(1, a, fa), see(0, b, fb)}, Nothing, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 1}},
		{"a transition signed by the pinned key", []step{see(0, a, fa), see(1, b, fa)}, KeyMoved, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"is not verified", []step{see(0, a, fa), verify(a), see(1, b, fa)}, KeyMoved, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"a transition of a held key", []step{see(0, a, fa), see(1, b, fb), see(2, b, fa)}, KeyMoved, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"accepted", []step{see(0, a, fa), see(1, b, fb), accept(b, true)}, Nothing, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"accepted, no longer verified", []step{verify(a), see(10, b, fb), accept(b, true)}, Nothing, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"the wrong one accepted", []step{see(0, a, fa), see(1, b, fb), accept(a, false)}, Nothing, summary{Pinned: "a", Proposed: "b", Standing: Changed, Err: ErrHeld, Certs: 2}},
		{"refused", []step{see(0, a, fa), see(1, b, fb), refuse(b, true)}, Nothing, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 2}},
		{"refused for good", []step{see(0, a, fa), see(1, b, fb), refuse(b, true), see(2, b, fb), hear(3, b)}, Nothing, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 2}},
		{"the wrong one refused", []step{see(0, a, fa), refuse(a, false)}, Nothing, summary{Pinned: "a", Use: "a", Standing: Pinned, Certs: 1}},
		{"refused, then verified", []step{see(0, a, fa), see(1, b, fb), refuse(b, true), verify(b)}, Nothing, summary{Verified: "b", Pinned: "b", Use: "b", Standing: Verified, Certs: 2}},
		{"gossip serves where nothing is pinned", []step{hear(0, a)}, FirstKey, summary{Gossip: "a", Use: "a", Standing: Heard, Certs: 1}},
		{"the newest gossip counts", []step{hear(1, a), hear(2, b), hear(0, a)}, Nothing, summary{Gossip: "b", Use: "b", Standing: Heard, Certs: 2}},
		{"gossip never replaces a pinned key", []step{see(0, a, fa), hear(1, b)}, KeyDiffers, summary{Pinned: "a", Gossip: "b", Use: "a", Standing: Pinned, Certs: 2}},
		{"the first mail outranks gossip", []step{hear(0, a), see(1, b, fb)}, FirstKey, summary{Pinned: "b", Gossip: "a", Use: "b", Standing: Pinned, Certs: 2}},
		{"gossip outranks the domain", []step{find(0, b.Cert()), hear(1, a)}, Nothing, summary{Gossip: "a", WKD: "b", Use: "a", Standing: Heard, Certs: 2}},
		{"the domain serves where nobody else does", []step{find(0, a.Cert())}, FirstKey, summary{WKD: "a", Use: "a", Standing: Heard, Certs: 1}},
		{"the domain takes its answer back", []step{find(0, a.Cert()), find(1, nil)}, Nothing, summary{Err: ErrNoKey, Certs: 1}},
		{"the domain does not replace a pinned key", []step{see(0, a, fa), find(1, b.Cert())}, KeyDiffers, summary{Pinned: "a", WKD: "b", Use: "a", Standing: Pinned, Certs: 2}},
		{"verified outranks all", []step{see(0, a, fa), hear(1, a), find(2, a.Cert()), verify(b)}, Nothing, summary{Verified: "b", Pinned: "b", Gossip: "a", WKD: "a", Use: "b", Standing: Verified, Certs: 2}},
		{"a change of a verified key is held", []step{verify(a), see(10, b, fb)}, KeyHeld, summary{Verified: "a", Pinned: "a", Proposed: "b", Standing: Changed, Err: ErrHeld, Certs: 2}},
		{"a key file decides", []step{see(0, a, fa), see(1, b, fb), imported(b)}, Nothing, summary{Pinned: "b", Use: "b", Standing: Pinned, Certs: 2}},
		{"the verified key's file keeps it verified", []step{verify(a), imported(a)}, Nothing, summary{Verified: "a", Pinned: "a", Use: "a", Standing: Verified, Certs: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Peer
			event := Nothing
			for _, s := range tt.steps {
				p, event = s(p)
			}
			use, standing, err := p.Fingerprint()
			got := summary{
				names[p.Verified], names[p.Pinned], names[p.Proposed], names[p.Gossip], names[p.WKD],
				names[use], standing, err, len(p.Certs),
			}
			sameErr := cmp.Comparer(func(x, y error) bool { return errors.Is(x, y) || errors.Is(y, x) })
			if diff := cmp.Diff(got, tt.want, sameErr); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
			if event != tt.event {
				t.Errorf("got event %d, want %d", event, tt.event)
			}
		})
	}
}

// TestLearnLeavesThePast: a Peer is a value. What is learned does not show in the
// one before.
func TestLearnLeavesThePast(t *testing.T) {
	t.Parallel()
	bob, k := generate(t, "bob@example.org")
	before, _ := Peer{}.See(bob, Sighting{Date: day(0), Cert: k.Cert(), Signer: k.Fingerprint()})
	kept := before.clone()
	_, other := generate(t, "bob@example.org")
	after, _ := before.See(bob, Sighting{Date: day(1), Cert: other.Cert(), Signer: other.Fingerprint()})
	after, _ = after.Hear(bob, k.Cert(), bob, day(2))
	if diff := cmp.Diff(before, kept); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
	if len(after.Certs) != 2 || len(after.Certs[k.Fingerprint()].Provenance) != 2 {
		t.Errorf("got %d certificates, want 2, the first with two sources", len(after.Certs))
	}
}

// TestStanding: what a signer's key means for a mail that came in.
func TestStanding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		peer Peer
		key  pgp.Fingerprint
		want Standing
	}{
		{"no signer", Peer{Pinned: "A"}, "", Unknown},
		{"nothing known", Peer{}, "A", Unknown},
		{"pinned", Peer{Pinned: "A"}, "A", Pinned},
		{"verified", Peer{Pinned: "A", Verified: "A"}, "A", Verified},
		{"another than the pinned", Peer{Pinned: "A", Gossip: "B"}, "B", Changed},
		{"by gossip", Peer{Gossip: "B"}, "B", Heard},
		{"from the domain", Peer{WKD: "B"}, "B", Heard},
	}
	for _, tt := range tests {
		if got := tt.peer.Standing(tt.key); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestProvenanceIsBounded: whoever gossips under many names does not fill the vault.
func TestProvenanceIsBounded(t *testing.T) {
	t.Parallel()
	bob, k := generate(t, "bob@example.org")
	var p Peer
	for i := range 3 * maxProvenance {
		via := addr.MustParse(string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@example.org")
		p, _ = p.Hear(bob, k.Cert(), via, day(i))
	}
	known := p.Certs[k.Fingerprint()]
	if n := len(known.Provenance); n != maxProvenance {
		t.Errorf("got %d, want %d", n, maxProvenance)
	}
	if !bytes.Equal(known.Cert, k.Cert().Bytes()) {
		t.Error("the certificate changed")
	}
}

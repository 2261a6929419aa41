package web

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// noon is when tests of time begin.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestPacer(t *testing.T) {
	t.Parallel()
	const s = time.Second
	tests := []struct {
		name         string
		all, network Rate
		peers        []mailbox.Peer
		want         []time.Duration
	}{
		{"burst, then a queue", Rate{2 * s, 3}, Rate{}, make([]mailbox.Peer, 6), []time.Duration{0, 0, 0, 2 * s, 4 * s, 6 * s}},
		{"one network waits longer", Rate{s, 3}, Rate{10 * s, 1}, []mailbox.Peer{"a", "a", "b", "b", "c"},
			[]time.Duration{0, 10 * s, 0, 10 * s, 2 * s}},
		{"no limit", Rate{0, 1}, Rate{0, 1}, []mailbox.Peer{"a", "a", "a"}, []time.Duration{0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPacer(tt.all, tt.network)
			var got []time.Duration
			for _, peer := range tt.peers {
				wait, ok := p.reserve(peer, noon, time.Hour)
				if !ok {
					t.Error("no place")
				}
				got = append(got, wait)
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPacerPatience(t *testing.T) {
	t.Parallel()
	p := newPacer(Rate{time.Minute, 2}, Rate{time.Hour, 1})
	for i, want := range []bool{true, true, false, false} {
		if _, ok := p.reserve("", noon, 0); ok != want {
			t.Errorf("place %d: %v", i, ok)
		}
	}
	// The two that were refused have taken no place.
	if _, ok := p.reserve("", noon.Add(time.Minute), 0); !ok {
		t.Error("a minute makes good for none")
	}
	if got := p.backlog(noon.Add(time.Minute)); got != 2 {
		t.Errorf("backlog %d, want 2", got)
	}
	if got := p.backlog(noon.Add(time.Hour)); got != 0 {
		t.Errorf("backlog %d after an hour", got)
	}
}

func TestPacerForgets(t *testing.T) {
	t.Parallel()
	p := newPacer(Rate{0, 1}, Rate{time.Hour, 1})
	for i := range maxNetworks + 10 {
		p.reserve(mailbox.Peer(fmt.Sprint(i)), noon, time.Hour)
	}
	if got := len(p.tails); got != maxNetworks {
		t.Errorf("%d networks are remembered, want %d", got, maxNetworks)
	}
	p.reserve("one more", noon.Add(2*time.Hour), time.Hour)
	if got := len(p.tails); got != 1 {
		t.Errorf("%d networks are remembered after a quiet time, want 1", got)
	}
}

func TestUsed(t *testing.T) {
	t.Parallel()
	u := newUsed()
	a := ticket{nonce: nonce{1}, expires: noon.Add(time.Minute)}
	if err := u.take(a, noon); err != nil {
		t.Fatal(err)
	}
	if err := u.take(a, noon); !errors.Is(err, errTicketUsed) {
		t.Errorf("twice: %v, want errTicketUsed", err)
	}
	u.giveBack(a)
	if err := u.take(a, noon); err != nil {
		t.Errorf("given back: %v", err)
	}
	for i := len(u.nonces); i < maxUsed; i++ {
		b := ticket{nonce: nonce{2, byte(i >> 16), byte(i >> 8), byte(i)}, expires: noon.Add(time.Minute)}
		if err := u.take(b, noon); err != nil {
			t.Fatal(err)
		}
	}
	full := ticket{nonce: nonce{3}, expires: noon.Add(time.Hour)}
	if err := u.take(full, noon); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("too many: %v, want ErrBusy", err)
	}
	if err := u.take(full, noon.Add(2*time.Minute)); err != nil || len(u.nonces) != 1 {
		t.Errorf("%d are remembered after they expired, %v", len(u.nonces), err)
	}
}

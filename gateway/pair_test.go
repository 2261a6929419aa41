package gateway

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pairUp lets one device offer and another join with a code of its own.
func pairUp(t *testing.T, a *home, offered, typed string) (h *home, offer, join error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Pair(ctx, offered) }()
	v, o := newVault(t)
	var steps []PairStep
	join = JoinPair(ctx, v, Newcomer{Account: a.account, Code: typed, Now: time.Now, Step: func(s PairStep) { steps = append(steps, s) }})
	want := []PairStep{PairLogIn, PairWait, PairProve, PairTake}
	if join != nil {
		want = want[:3]
	}
	if diff := cmp.Diff(steps, want); diff != "" {
		t.Errorf("steps: %s", diff)
	}
	return &home{dir: t.TempDir(), account: a.account, options: o, vault: v}, <-done, join
}

// TestPair: the second device has everything, in the end nothing lies about, and the
// time that it takes is in the log.
func TestPair(t *testing.T) {
	t.Parallel()
	a := newHome(t, newRelay(t).account(t, "alice"))
	bob, bobKey := generate(t, "bob@example.org")
	if err := a.Contacts().Verify(bob, bobKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.NewGroup(t.Context(), "Family", bob); err != nil {
		t.Fatal(err)
	}
	code, begin := NewPairCode(), time.Now()
	b, offer, join := pairUp(t, a, code, " "+code[:4]+code[5:])
	if offer != nil || join != nil {
		t.Fatalf("got %v and %v", offer, join)
	}
	t.Logf("paired in %v", time.Since(begin))
	b.open(t)
	defer b.close(t)
	if diff := cmp.Diff(settled(t, b), settled(t, a)); diff != "" {
		t.Errorf("the devices know different things:\n%s", diff)
	}
	if left := kept(t, a); len(left) != 0 {
		t.Errorf("left in the devices' mailbox: %v", left)
	}
}

// TestPairWrongCode: one try, which reveals nothing, and the code is burned.
func TestPairWrongCode(t *testing.T) {
	t.Parallel()
	a := newHome(t, newRelay(t).account(t, "alice"))
	b, offer, join := pairUp(t, a, "1234-5678", "1234-5679")
	if !errors.Is(offer, ErrPairCode) || !errors.Is(join, ErrPairCode) {
		t.Errorf("got %v and %v, want ErrPairCode twice", offer, join)
	}
	if _, err := LoadAccount(b.vault); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("there is something in the vault: %v", err)
	}
	if left := kept(t, a); len(left) != 0 {
		t.Errorf("left in the devices' mailbox: %v", left)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := JoinPair(ctx, b.vault, Newcomer{Account: a.account, Code: "1234-5678", Now: time.Now}); err == nil {
		t.Error("the right code was taken after a wrong one")
	}
}

// FuzzParsePairLink: a link that is taken says where and with what.
func FuzzParsePairLink(f *testing.F) {
	link, err := PairLink(Account{Address: "a@b.example", Password: "x", IMAPS: "b.example:993", SMTPS: "b.example:465"}, "1234-5678")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(link)
	f.Add("restante-pair:")
	f.Fuzz(func(t *testing.T, text string) {
		a, code, ok := ParsePairLink(text)
		if ok && (code == "" || a.Address == "" || len(a.CA) > 0) {
			t.Errorf("took %+v, %q", a, code)
		}
	})
}

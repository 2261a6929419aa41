package seal

import (
	"testing"
)

// TestHandedRoot: a new Root reaches a credential through its public key alone, and
// what the old Root opens is of no use with it.
func TestHandedRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public := must[PublicKey](t)(ParsePublicKey(w.factor.PublicKey().Bytes()))
	next, owner := NewRoot(), w.owner
	owner.Generation++
	part := must[[]byte](t)(public.HandRoot(owner, 5, &next))
	if len(part) != handedSize {
		t.Errorf("got %d bytes, want %d", len(part), handedSize)
	}
	if got := must[Root](t)(w.factor.UnwrapRoot(owner, 5, part)); got != next {
		t.Error("the Root that came out is another")
	}
	_, err := w.private.OpenKey0(owner, BlobID{}, part)
	wantErrOpen(t, "the handed root under the old Root's key pair", err)

	again := w.factor
	if string(again.PublicKey().Bytes()) != string(public.Bytes()) {
		t.Error("one factor has two key pairs")
	}
	other := must[Factor](t)(SecretKDF().Secret(NewSecret()))
	_, err = other.UnwrapRoot(owner, 5, part)
	wantErrOpen(t, "the handed root under another credential's secret", err)
}

// TestGenerationsApart: the keys of one generation open nothing of another, whichever
// the generation that is claimed, but for bodies, whose message keys stay.
func TestGenerationsApart(t *testing.T) {
	t.Parallel()
	old := newWorld(t)
	next := old
	next.root, next.owner.Generation = NewRoot(), old.owner.Generation+1
	next.message.Owner = next.owner
	next.derive()
	home, formers := next.home(), everyPart(t, old)
	for i, p := range everyPart(t, next) {
		if formers[i].binds&toOwner == 0 || p.name == "envelope 0" || p.name == "envelope 1" || p.name == "root" || p.name == "handed root" {
			continue // under keys that the two have in common: TestMovedParts
		}
		_, err := p.open(home, formers[i].sealed)
		wantErrOpen(t, p.name+" of the former generation under the new keys", err)
		_, err = formers[i].open(home, p.sealed)
		wantErrOpen(t, p.name+" of the new generation under the former keys", err)
	}
}

// TestBodyOfFormerGeneration: a message that got new keys still opens its body, and one
// that claims to be of a later generation than the message does not.
func TestBodyOfFormerGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := content(3 * ChunkSize)
	sealed := sealBody(t, &w.message, text)
	later := w.message
	later.Owner.Generation++
	if got := must[[]byte](t)(readBody(&later, sealed, int64(len(text)))); string(got) != string(text) {
		t.Error("the body came out changed")
	}
	earlier := w.message
	earlier.Owner.Generation--
	_, err := readBody(&earlier, sealed, int64(len(text)))
	wantErrOpen(t, "a body of a later generation than its message", err)
}

// TestEmailIDs: they stay when an account gets new keys and takes its key along.
func TestEmailIDs(t *testing.T) {
	t.Parallel()
	w, blob, next := newWorld(t), NewBlobID(), NewRoot()
	keys := next.Keys(w.owner)
	if keys.EmailID(blob) == w.keys.EmailID(blob) {
		t.Fatal("two roots make one identity")
	}
	keys.SetEmailKey(w.keys.EmailKey())
	if keys.EmailID(blob) != w.keys.EmailID(blob) {
		t.Error("the identity of a message has changed")
	}
}

package seal

import (
	"bytes"
	"errors"
	"testing"
)

// world is what most tests start from: an account with its keys and a
// credential's factor, one message of it and the place where that message is,
// and the secret of a relay.
type world struct {
	owner   Owner
	root    Root
	keys    *Keys
	private PrivateKey
	factor  Factor
	message Message
	place   Place
	relay   [RelaySecretSize]byte
}

// newWorld returns a world of random keys.
func newWorld(t testing.TB) world {
	t.Helper()
	w := world{
		owner:  Owner{Store: NewStoreID(), Account: 7, Generation: 2},
		root:   NewRoot(),
		factor: must[Factor](t)(SecretKDF().Secret(NewSecret())),
		place:  Place{Mailbox: 3, UID: 9},
		relay:  [RelaySecretSize]byte(randomBytes(RelaySecretSize)),
	}
	w.message = NewMessage(w.owner)
	w.derive()
	return w
}

// derive makes the keys that follow from the root.
func (w *world) derive() {
	w.keys = w.root.Keys(w.owner)
	w.private = w.root.PrivateKey()
}

// must returns a function that unwraps a result which can't fail in this test.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestMessageFromArrivalToListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := []byte("From: a stranger")

	public := must[PublicKey](t)(ParsePublicKey(w.private.PublicKey().Bytes()))
	key0 := must[[]byte](t)(w.message.SealKey0(public))
	envelope0 := w.message.SealEnvelope(Place{}, data)

	m := must[Message](t)(w.private.OpenKey0(w.owner, w.message.Blob, key0))
	got := must[[]byte](t)(m.OpenEnvelope(Place{}, envelope0))
	if !bytes.Equal(got, data) {
		t.Errorf("stage 0: got %q, want %q", got, data)
	}

	key1 := must[[]byte](t)(w.keys.SealKey1(&m, w.place))
	envelope1 := m.SealEnvelope(w.place, data)
	m = must[Message](t)(w.keys.OpenKey1(w.message.Blob, w.place, key1))
	got = must[[]byte](t)(m.OpenEnvelope(w.place, envelope1))
	if !bytes.Equal(got, data) {
		t.Errorf("stage 1: got %q, want %q", got, data)
	}
	if m != w.message {
		t.Error("the message that came back is another")
	}
	if len(key0) != Key0Size || len(key1) != Key1Size {
		t.Errorf("got keys of %d and %d bytes, want %d and %d", len(key0), len(key1), Key0Size, Key1Size)
	}
}

func TestSealKey1Refuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []Place{{}, {Mailbox: 3}, {UID: 9}} {
		if _, err := w.keys.SealKey1(&w.message, p); !errors.Is(err, errNoPlace) {
			t.Errorf("place %+v: got error %v, want %v", p, err, errNoPlace)
		}
	}
	stranger := w.message
	stranger.Owner.Account++
	if _, err := w.keys.SealKey1(&stranger, w.place); err == nil {
		t.Error("the key of another account's message was wrapped")
	}
}

func TestGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	part := w.message.SealEnvelope(Place{}, nil)
	if got := must[uint32](t)(Generation(part)); got != 2 {
		t.Errorf("got generation %d, want 2", got)
	}
	if _, err := Generation(part[:headerSize-1]); !errors.Is(err, ErrOpen) {
		t.Errorf("cut header: got error %v, want %v", err, ErrOpen)
	}
	part[0] = 2
	if _, err := Generation(part); !errors.Is(err, ErrVersion) {
		t.Errorf("format 2: got error %v, want %v", err, ErrVersion)
	}
}

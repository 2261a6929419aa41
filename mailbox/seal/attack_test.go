package seal

import (
	"bytes"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// row is the claim of where a part was found: what an attacker who can write to
// the store chooses.
type row struct {
	owner  Owner
	blob   BlobID
	place  Place
	number int64 // of a credential, or of a relay's row
	name   string
}

// home is the row that every part of w belongs to.
func (w *world) home() row {
	return row{owner: w.owner, blob: w.message.Blob, place: w.place, number: 5, name: "Invoices"}
}

// part is one sealed part, and the way to open it as the part of a given row.
// The keys are always the right ones: what must refuse is the binding alone.
type part struct {
	name    string
	binds   binding
	sealed  []byte
	content []byte
	open    func(r row, sealed []byte) ([]byte, error)
}

// binding says which coordinates of a row a part is bound to, beyond the store.
type binding int

const (
	toOwner binding = 1 << iota // account and generation
	toBlob
	toPlace
	toNumber
	toName
	toAccount // and not to the generation
)

// everyPart seals one part of each kind for the row home of w.
func everyPart(t *testing.T, w world) []part {
	t.Helper()
	return slices.Concat(messageParts(t, w), ownerParts(t, w), relayParts(w), pageParts(w))
}

func messageParts(t *testing.T, w world) []part {
	t.Helper()
	m, x := w.message, []byte("envelope data")
	as := func(r row) *Message { return &Message{Owner: r.owner, Blob: r.blob, DEK: m.DEK} }
	body := content(700)
	return []part{
		{"key 0", toOwner | toBlob, must[[]byte](t)(m.SealKey0(w.private.PublicKey())), m.DEK[:], func(r row, b []byte) ([]byte, error) {
			m, err := w.private.OpenKey0(r.owner, r.blob, b)
			return m.DEK[:], err
		}},
		{"key 1", toOwner | toBlob | toPlace, must[[]byte](t)(w.keys.SealKey1(&m, w.place)), m.DEK[:], func(r row, b []byte) ([]byte, error) {
			m, err := w.root.Keys(r.owner).OpenKey1(r.blob, r.place, b)
			return m.DEK[:], err
		}},
		{"envelope 0", toOwner | toBlob, m.SealEnvelope(Place{}, x), x, func(r row, b []byte) ([]byte, error) {
			return as(r).OpenEnvelope(Place{}, b)
		}},
		{"envelope 1", toOwner | toBlob | toPlace, m.SealEnvelope(w.place, x), x, func(r row, b []byte) ([]byte, error) {
			return as(r).OpenEnvelope(r.place, b)
		}},
		{"body", toAccount | toBlob, sealBody(t, &m, body), body, func(r row, b []byte) ([]byte, error) {
			return readBody(as(r), b, int64(len(body)))
		}},
	}
}

func ownerParts(t *testing.T, w world) []part {
	home, x := w.home(), []byte("a note")
	handed := must[[]byte](t)(w.factor.PublicKey().HandRoot(w.owner, home.number, &w.root))
	keys := func(r row) *Keys { return w.root.Keys(r.owner) }
	return []part{
		{"root", toOwner | toNumber, w.factor.WrapRoot(w.owner, home.number, &w.root), w.root[:], func(r row, b []byte) ([]byte, error) {
			root, err := w.factor.UnwrapRoot(r.owner, r.number, b)
			return root[:], err
		}},
		{"handed root", toOwner | toNumber, handed, w.root[:], func(r row, b []byte) ([]byte, error) {
			root, err := w.factor.UnwrapRoot(r.owner, r.number, b)
			return root[:], err
		}},
		{"mailbox name", toOwner | toName, w.keys.SealName(home.name), []byte(home.name), func(r row, b []byte) ([]byte, error) {
			name, err := keys(r).OpenName(w.keys.NameMAC(r.name), b)
			return []byte(name), err
		}},
		{"keyword", toOwner | toName, w.keys.SealKeyword(w.keys.KeywordMAC(home.name), home.name), []byte(home.name), func(r row, b []byte) ([]byte, error) {
			name, err := keys(r).OpenKeyword(w.keys.KeywordMAC(r.name), b)
			return []byte(name), err
		}},
		{"note", toOwner | toName, w.keys.SealNote(home.name, x), x, func(r row, b []byte) ([]byte, error) {
			return keys(r).OpenNote(r.name, b)
		}},
	}
}

func pageParts(w world) []part {
	x := []byte("many messages")
	sealed := w.keys.SealPage(w.place.Mailbox, w.place.UID, x)
	return []part{{"page", toOwner | toPlace, sealed, x, func(r row, b []byte) ([]byte, error) {
		return w.root.Keys(r.owner).OpenPage(r.place.Mailbox, r.place.UID, b)
	}}}
}

func relayParts(w world) []part {
	x := []byte("what the relay reads")
	relay := func(r row) *RelayKey { return NewRelayKey(w.relay, r.owner.Store) }
	id := func(r row) []byte { return binary.BigEndian.AppendUint64(nil, uint64(r.number)) }
	var parts []part
	for d := Directory; d <= PushToken; d++ {
		sealed := relay(w.home()).Seal(d, id(w.home()), x)
		parts = append(parts, part{kindNames[duties[d].kind], toNumber, sealed, x, func(r row, b []byte) ([]byte, error) {
			return relay(r).Open(d, id(r), b)
		}})
	}
	return parts
}

// readBody reads a whole body.
func readBody(m *Message, sealed []byte, size int64) ([]byte, error) {
	r, err := m.NewBodyReader(bytes.NewReader(sealed), int64(len(sealed)), size)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r.Section(0, size))
}

func attackWorld(t *testing.T) (row, []part) {
	t.Helper()
	w := newWorld(t)
	return w.home(), everyPart(t, w)
}

func wantErrOpen(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrOpen) {
		t.Errorf("%s: got error %v, want %v", what, err, ErrOpen)
	}
}

// TestMovedParts is the wrong-order attack: each part is put into a row that
// differs in one coordinate, and must not open there.
func TestMovedParts(t *testing.T) {
	t.Parallel()
	home, parts := attackWorld(t)
	moves := []struct {
		name string
		hits binding // 0: every part
		move func(r *row)
	}{
		{"store", 0, func(r *row) { r.owner.Store[15] ^= 1 }},
		{"account", toOwner | toAccount, func(r *row) { r.owner.Account++ }},
		{"generation", toOwner, func(r *row) { r.owner.Generation++ }},
		{"blob", toBlob, func(r *row) { r.blob[0] ^= 1 }},
		{"mailbox", toPlace, func(r *row) { r.place.Mailbox++ }},
		{"UID", toPlace, func(r *row) { r.place.UID++ }},
		{"number", toNumber, func(r *row) { r.number++ }},
		{"name", toName, func(r *row) { r.name = "invoices" }},
	}
	for _, p := range parts {
		wantOpen(t, p, home)
		for _, m := range moves {
			away := home
			m.move(&away)
			if m.hits != 0 && m.hits&p.binds == 0 {
				wantOpen(t, p, away)
				continue
			}
			_, err := p.open(away, p.sealed)
			wantErrOpen(t, p.name+" moved to another "+m.name, err)
		}
	}
}

func wantOpen(t *testing.T, p part, r row) {
	t.Helper()
	got, err := p.open(r, p.sealed)
	if err != nil || !bytes.Equal(got, p.content) {
		t.Errorf("%s: got %q, error %v, want %q", p.name, got, err, p.content)
	}
}

// TestForgedGeneration: the generation in clear is bound as well.
func TestForgedGeneration(t *testing.T) {
	t.Parallel()
	home, parts := attackWorld(t)
	away := home
	away.owner.Generation++
	for _, p := range parts {
		forged := slices.Clone(p.sealed)
		binary.BigEndian.PutUint32(forged[1:], away.owner.Generation)
		_, err := p.open(away, forged)
		wantErrOpen(t, p.name+" with a forged generation", err)
	}
}

// TestMixedParts opens each part as every other part of the same row.
func TestMixedParts(t *testing.T) {
	t.Parallel()
	home, parts := attackWorld(t)
	for _, from := range parts {
		for _, to := range parts {
			if from.name != to.name && !(from.binds == to.binds && from.binds == toOwner|toNumber) { // one opening for both forms
				_, err := to.open(home, from.sealed)
				wantErrOpen(t, from.name+" as "+to.name, err)
			}
		}
	}
}

// TestMixedKinds does the same where the key is one and the same, so that only
// the kind in the coordinate stands between the two.
func TestMixedKinds(t *testing.T) {
	t.Parallel()
	box := newBoxCipher(make([]byte, 32))
	for from := kindKey0; from <= kindPage; from++ {
		sealed := sealBox(box, coordinate{kind: from}, nil)
		for to := kindKey0; to <= kindPage; to++ {
			_, err := openBox(box, coordinate{kind: to}, nil, sealed)
			if from == to && err != nil {
				t.Errorf("%s: %v", kindNames[from], err)
			}
			if from != to {
				wantErrOpen(t, kindNames[from]+" as "+kindNames[to], err)
			}
		}
	}
}

// TestOtherKeys: the row is right in all its coordinates, the keys are those of
// another account, credential or relay.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	home, parts := attackWorld(t)
	_, strangers := attackWorld(t)
	for i, p := range strangers {
		_, err := p.open(home, parts[i].sealed)
		wantErrOpen(t, p.name+" under a stranger's key", err)
	}
}

// TestDamagedParts changes each byte, cuts at each place, and lengthens.
func TestDamagedParts(t *testing.T) {
	t.Parallel()
	home, parts := attackWorld(t)
	for _, p := range parts {
		open := func(b []byte) error {
			_, err := p.open(home, b)
			return err
		}
		step := 1
		if p.name == "key 0" || p.name == "handed root" {
			step = 7 // an HPKE opening takes 0.1 ms
		}
		for i := 0; i < len(p.sealed); i += step {
			damaged := slices.Clone(p.sealed)
			damaged[i] ^= 0x80
			err := open(damaged)
			if i == 0 && !errors.Is(err, ErrVersion) || i > 0 && !errors.Is(err, ErrOpen) {
				t.Errorf("%s with byte %d changed: got error %v", p.name, i, err)
			}
			wantErrOpen(t, p.name+" cut", open(p.sealed[:i]))
		}
		wantErrOpen(t, p.name+" with a byte more", open(append(slices.Clone(p.sealed), 0)))
		wantErrOpen(t, p.name+" twice", open(slices.Concat(p.sealed, p.sealed)))
	}
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	home, parts := attackWorld(t)
	for _, p := range parts {
		for _, v := range []byte{0, 2, 255} {
			future := slices.Clone(p.sealed)
			future[0] = v
			if _, err := p.open(home, future); !errors.Is(err, ErrVersion) || errors.Is(err, ErrOpen) {
				t.Errorf("%s in format %d: got error %v, want %v", p.name, v, err, ErrVersion)
			}
		}
	}
}

// TestContentOfAnotherSize: parts that were sealed by the right key for the right
// row, but hold what no program of this format puts there.
func TestContentOfAnotherSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key1 := w.message.at(kindKey1)
	key1.place = w.place
	key0 := w.message.at(kindKey0)
	for _, n := range []int{0, 32, len(DEK{}) - 1, len(DEK{}) + 1, 500} {
		_, err := w.keys.OpenKey1(w.message.Blob, w.place, sealBox(w.keys.mailbox, key1, content(n)))
		wantErrOpen(t, "key 1 of another size", err)

		sealed := must[[]byte](t)(hpke.Seal(w.private.k.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), key0.bytes(), content(n)))
		_, err = w.private.OpenKey0(w.owner, w.message.Blob, append(appendHeader(nil, w.owner.Generation), sealed...))
		wantErrOpen(t, "key 0 of another size", err)

		if n != len(Root{}) {
			box := sealBox(newBoxCipher(w.factor.kek[:]), rootAt(w.owner, 5), content(n))
			_, err = w.factor.UnwrapRoot(w.owner, 5, box)
			wantErrOpen(t, "root of another size", err)
		}
	}
	envelope := sealBox(newBoxCipher(w.message.DEK.envelope()), w.message.envelopeAt(w.place), []byte("not padded"))
	_, err := w.message.OpenEnvelope(w.place, envelope)
	wantErrOpen(t, "envelope without padding", err)
}

// TestErrorsNameTheRow: an operator finds the row, a log reader no content.
func TestErrorsNameTheRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.message.OpenEnvelope(w.place, w.message.SealEnvelope(Place{}, nil))
	want := "seal: envelope (stage 1) of account 7, generation 2, blob " + w.message.Blob.String() +
		", mailbox 3, UID 9: " + ErrOpen.Error()
	if err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	_, err = w.keys.OpenNote("a private label", nil)
	if err == nil || strings.Contains(err.Error(), "private") {
		t.Errorf("got %q, want an error without the label", err)
	}
}

package mailbox

import (
	"bytes"
	"errors"
	"testing"

	"github.com/restante/restante/mailbox/seal"
)

// TestPublicKeys: a parsed key is that of the row at hand, whatever was kept before,
// and there are never too many.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	const most = 3
	p := newPublicKeys(most)
	public := func() []byte {
		root := seal.NewRoot()
		return root.PrivateKey().PublicKey().Bytes()
	}
	one, two := public(), public()
	for _, step := range []struct {
		id  AccountID
		key []byte
	}{{1, one}, {1, one}, {1, two}, {1, one}, {2, two}, {3, one}, {4, two}, {5, one}, {1, two}} {
		got, err := p.of(&Account{ID: step.id, Key: AccountKey{Public: step.key}})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), step.key) {
			t.Errorf("account %d got another key than its row has", step.id)
		}
		if len(p.keys) > most {
			t.Errorf("%d keys are kept, want %d at most", len(p.keys), most)
		}
	}
	if _, err := p.of(&Account{ID: 1, Key: AccountKey{Public: one[1:]}}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("for a key that is none: got error %v, want ErrCorrupt", err)
	}
}

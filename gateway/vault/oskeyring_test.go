package vault

import (
	"errors"
	"testing"

	"github.com/zalando/go-keyring"
)

// TestOSKeyring holds the adapter to the contract, over the library's own keyring
// in memory.
func TestOSKeyring(t *testing.T) {
	keyring.MockInit() // for the whole process: no other test uses the system's
	r := OSKeyring()
	if _, err := r.Get("a"); !errors.Is(err, ErrNoSecret) {
		t.Errorf("got %v, want ErrNoSecret", err)
	}
	for _, secret := range []string{"first", "second"} {
		if err := r.Set("a", secret); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Get("a"); err != nil || got != secret {
			t.Errorf("got %q, %v, want %q", got, err, secret)
		}
	}
	keyring.MockInitWithError(errors.New("no keyring here"))
	if _, err := r.Get("a"); err == nil || errors.Is(err, ErrNoSecret) {
		t.Errorf("got %v, want the keyring's error", err)
	}
}

package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/text/unicode/norm"

	"github.com/restante/restante/mailbox/seal"
)

const (
	headerName    = "vault.json"
	lockName      = "vault.lock"
	headerVersion = 1
)

// header is the only file of a vault that is not sealed: who it is, and its root,
// wrapped for each way to open it.
type header struct {
	Version int          `json:"version"`
	ID      seal.StoreID `json:"id"`
	Ways    []way        `json:"ways"`
}

// way is one way to open the vault.
type way struct {
	Kind     wayKind `json:"kind"`
	KDF      []byte  `json:"kdf"`
	Verifier []byte  `json:"verifier"`
	Wrapped  []byte  `json:"wrapped"`
}

type wayKind string

const (
	byKeyring    wayKind = "keyring"
	byPassphrase wayKind = "passphrase"
)

// credential is the number that binds a wrapped root to its kind of way.
func (k wayKind) credential() int64 {
	if k == byKeyring {
		return 1
	}
	return 2
}

// addWays wraps the root for each way that o offers.
func (h *header) addWays(o Options, root *seal.Root) error {
	if o.Keyring == nil && o.Passphrase == nil {
		return errors.New("it needs a passphrase or the system's keyring")
	}
	if o.Keyring != nil { // first, so that nobody is asked for a passphrase in vain
		if err := h.addKeyring(o.Keyring, root); err != nil {
			return err
		}
	}
	if o.Passphrase != nil {
		return h.addPassphrase(o, root)
	}
	return nil
}

func (h *header) addPassphrase(o Options, root *seal.Root) error {
	text, err := o.Passphrase()
	if err != nil {
		return err
	}
	if text == "" {
		return errors.New("the passphrase is empty: choose one of several words")
	}
	cost := o.Stretch
	if cost == (seal.Params{}) {
		cost = seal.DefaultParams
	}
	kdf, err := seal.PasswordKDF(cost)
	if err != nil {
		return err
	}
	factor, err := kdf.Password(norm.NFC.String(text))
	if err != nil {
		return err
	}
	h.add(byPassphrase, kdf, &factor, root)
	return nil
}

// addKeyring makes a secret and gives it to the keyring.
func (h *header) addKeyring(ring Keyring, root *seal.Root) error {
	secret := seal.NewSecret()
	defer secret.Wipe()
	if err := ring.Set(h.ID.String(), secret.Reveal()); err != nil {
		return fmt.Errorf("give the vault's secret to the system's keyring: %w", err)
	}
	kdf := seal.SecretKDF()
	factor, err := kdf.Secret(secret)
	if err != nil {
		return err
	}
	h.add(byKeyring, kdf, &factor, root)
	return nil
}

func (h *header) add(kind wayKind, kdf seal.KDF, f *seal.Factor, root *seal.Root) {
	defer f.Wipe()
	verifier := f.Verifier()
	h.Ways = append(h.Ways, way{
		Kind: kind, KDF: kdf.Bytes(), Verifier: verifier[:],
		Wrapped: f.WrapRoot(ownerOf(h.ID), kind.credential(), root),
	})
}

func (h *header) write(dir string) error {
	b, err := json.MarshalIndent(h, "", "\t")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, headerName), append(b, '\n'))
}

func readHeader(dir string) (header, error) {
	b, err := os.ReadFile(filepath.Join(dir, headerName))
	if errors.Is(err, fs.ErrNotExist) {
		return header{}, ErrNone
	}
	if err != nil {
		return header{}, fmt.Errorf("open vault: %w", err)
	}
	var h header
	if err := json.Unmarshal(b, &h); err != nil {
		return header{}, fmt.Errorf("%w: %s can't be read: %v", ErrDamaged, headerName, err)
	}
	if h.Version > headerVersion {
		return header{}, ErrNewer
	}
	if h.Version < 1 {
		return header{}, fmt.Errorf("%w: %s has no version", ErrDamaged, headerName)
	}
	return h, nil
}

// find returns the way of a kind, or nil.
func (h *header) find(k wayKind) *way {
	for i := range h.Ways {
		if h.Ways[i].Kind == k {
			return &h.Ways[i]
		}
	}
	return nil
}

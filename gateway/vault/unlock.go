package vault

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/restante/restante/mailbox/seal"
)

// Keyring is a place where the operating system keeps secrets while their owner is
// logged in. OSKeyring is the real one.
type Keyring interface {
	// Get returns the secret of that name. The error is ErrNoSecret if the keyring
	// works and has none.
	Get(name string) (string, error)
	// Set keeps a secret, in place of an earlier one of that name.
	Set(name, secret string) error
}

// ErrNoSecret means that the keyring has no secret of that name.
var ErrNoSecret = errors.New("the keyring has no such secret")

// unlock opens the root: by the keyring if that has the secret, else by the
// passphrase.
func (h *header) unlock(o Options) (seal.Root, error) {
	var why error
	if w := h.find(byKeyring); w != nil && o.Keyring != nil {
		root, err := h.byKeyring(w, o.Keyring)
		if err == nil {
			return root, nil
		}
		why = err
	}
	if w := h.find(byPassphrase); w != nil && o.Passphrase != nil {
		return h.byPassphrase(w, o.Passphrase)
	}
	if why != nil {
		return seal.Root{}, fmt.Errorf("%w: %w", ErrUnlock, why)
	}
	return seal.Root{}, fmt.Errorf("%w: %s", ErrUnlock, h.hint())
}

// hint says what would open the vault.
func (h *header) hint() string {
	if h.find(byPassphrase) != nil {
		return "it has a passphrase: give it in the file named by RESTANTE_PASSPHRASE_FILE, or run this in a terminal"
	}
	return "its secret is in the keyring of the user who made it: log in as that user, in a session with a keyring"
}

func (h *header) byKeyring(w *way, ring Keyring) (seal.Root, error) {
	text, err := ring.Get(h.ID.String())
	if err != nil {
		return seal.Root{}, fmt.Errorf("ask the keyring: %w", err)
	}
	secret, err := seal.ParseSecret(text)
	if err != nil {
		return seal.Root{}, fmt.Errorf("the keyring's secret: %w", err)
	}
	defer secret.Wipe()
	root, err := h.open(w, func(k seal.KDF) (seal.Factor, error) { return k.Secret(secret) })
	if errors.Is(err, ErrPassphrase) {
		return seal.Root{}, errors.New("the keyring's secret is that of another vault")
	}
	return root, err
}

func (h *header) byPassphrase(w *way, ask func() (string, error)) (seal.Root, error) {
	text, err := ask()
	if err != nil {
		return seal.Root{}, fmt.Errorf("open vault: %w", err)
	}
	return h.open(w, func(k seal.KDF) (seal.Factor, error) { return k.Password(norm.NFC.String(text)) })
}

// open unwraps the root with what stretch makes of the way's KDF. The verifier
// tells a wrong passphrase from a damaged file.
func (h *header) open(w *way, stretch func(seal.KDF) (seal.Factor, error)) (seal.Root, error) {
	kdf, err := seal.ParseKDF(w.KDF)
	if err != nil {
		return seal.Root{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	factor, err := stretch(kdf)
	if err != nil {
		return seal.Root{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer factor.Wipe()
	if !factor.Verify(w.Verifier) {
		return seal.Root{}, ErrPassphrase
	}
	root, err := factor.UnwrapRoot(ownerOf(h.ID), w.Kind.credential(), w.Wrapped)
	if err != nil {
		return seal.Root{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return root, nil
}

// PassphraseFile returns a function for Options.Passphrase that reads a file: its
// first line, which must be the only one. Services get their passphrase so.
func PassphraseFile(path string) func() (string, error) {
	return func() (string, error) {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("passphrase file: %w", err)
		}
		text := strings.TrimRight(string(b), "\r\n")
		if text == "" || strings.ContainsAny(text, "\r\n") {
			return "", errors.New("passphrase file: it must hold one line, the passphrase")
		}
		return text, nil
	}
}

// InKeyring reports whether the vault in a folder can be opened by the keyring, so
// that nobody need be there. Errors: ErrNone, ErrNewer, ErrDamaged.
func InKeyring(dir string) (bool, error) {
	h, err := readHeader(dir)
	return err == nil && h.find(byKeyring) != nil, err
}

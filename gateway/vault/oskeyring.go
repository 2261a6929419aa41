package vault

import (
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"
)

// keyringService is the name under which the keyring shows our secrets.
const keyringService = "restante gateway"

// OSKeyring returns the keyring of the operating system: Secret Service on Linux,
// Keychain on macOS, Credential Manager on Windows. Whether there is one shows when
// it is used.
func OSKeyring() Keyring { return osKeyring{} }

type osKeyring struct{}

func (osKeyring) Get(name string) (string, error) {
	secret, err := keyring.Get(keyringService, name)
	if errors.Is(err, keyring.ErrNotFound) {
		return "", ErrNoSecret
	}
	if err != nil {
		return "", fmt.Errorf("system keyring: %w", err)
	}
	return secret, nil
}

func (osKeyring) Set(name, secret string) error {
	if err := keyring.Set(keyringService, name, secret); err != nil {
		return fmt.Errorf("system keyring: %w", err)
	}
	return nil
}

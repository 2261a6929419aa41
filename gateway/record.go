package gateway

import (
	"encoding/json"
	"fmt"

	"github.com/restante/restante/gateway/vault"
)

// putRecord keeps a value in the vault under a kind and a name.
func putRecord(v *vault.Vault, kind, name string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", kind, err)
	}
	if err := v.Put(kind, name, content); err != nil {
		return fmt.Errorf("write %s: %w", kind, err)
	}
	return nil
}

// eachRecord calls f for each value of a kind.
func eachRecord[T any](v *vault.Vault, kind string, f func(name string, value T) error) error {
	return v.Each(kind, func(name string, content []byte) error {
		var value T
		if err := json.Unmarshal(content, &value); err != nil {
			return fmt.Errorf("%w: a record of kind %q can't be read: %w", vault.ErrDamaged, kind, err)
		}
		return f(name, value)
	})
}

package gateway

import (
	"errors"
	"fmt"
	"io"

	"github.com/restante/restante/pgp"
)

// errInClear is about a message that was to leave this machine and is not encrypted. All
// that leaves it is composed encrypted, so this is a fault of ours that shows here in
// place of at the provider.
var errInClear = errors.New("the gateway was about to send something that is not encrypted, and did not: this is a bug, please report it")

// checkLeaving holds a message, before the first octet of it leaves, to the gate that
// relays have: most providers have none. It reads msg to its end. The error wraps
// errInClear, or is the reader's.
func checkLeaving(msg io.Reader) error {
	err := pgp.Inspect(msg, pgp.InspectOptions{})
	if errors.Is(err, pgp.ErrNotEncrypted) {
		return fmt.Errorf("%w (%w)", errInClear, err)
	}
	return err
}

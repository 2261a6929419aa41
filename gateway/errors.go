package gateway

import "errors"

// The outcomes that callers tell apart.
var (
	// ErrNoKey: no key of somebody is known.
	ErrNoKey = errors.New("no key is known")
	// ErrHeld: somebody's key has changed, and the user has not yet accepted the new one.
	ErrHeld = errors.New("the key has changed and waits to be accepted")
	// ErrNoIdentity: the gateway has no key of its own yet.
	ErrNoIdentity = errors.New("there is no key for this account yet: run `restante gateway init`")
)

package pgp

import (
	"errors"
	"fmt"
)

// ErrNotEncrypted is what errors.Is finds in every refusal of the gate.
var ErrNotEncrypted = errors.New("not an encrypted message")

// NotEncrypted is the gate's refusal of a message.
type NotEncrypted struct {
	// Reason is what is wrong, for the person whose mail software wrote the message. It quotes nothing from it.
	Reason string
}

// Error returns the reason with what it means.
func (e *NotEncrypted) Error() string { return "not an encrypted message: " + e.Reason }

// Is makes errors.Is(err, ErrNotEncrypted) hold.
func (e *NotEncrypted) Is(target error) bool { return target == ErrNotEncrypted }

// refuse returns a refusal.
func refuse(format string, args ...any) error {
	return &NotEncrypted{Reason: fmt.Sprintf(format, args...)}
}

// asRefusal returns err as a refusal.
func asRefusal(err error) error {
	if err == nil || errors.Is(err, ErrNotEncrypted) {
		return err
	}
	return &NotEncrypted{Reason: err.Error()}
}

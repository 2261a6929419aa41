package mailbox

import (
	"context"
	"errors"
	"fmt"
)

// Recover sets a new password for whoever has the recovery code of an address,
// which stands in l.Secret; an empty password generates a secret. It returns the
// new secret. The old one is of no use from then on, and sessions that it opened
// end. The recovery code and the device passwords stay.
//
// Errors: ErrAuth for unknown users and wrong codes alike, after the same work;
// ErrDisabled, only with the right code; ErrBusy; ErrThrottled; ErrGone if the
// password was changed at the same moment; and ErrName for a password that reads
// like a generated secret.
func (s *Service) Recover(ctx context.Context, l Login, password string) (secret string, err error) {
	if s.closed() {
		return "", ErrClosed
	}
	t := s.newTry(l)
	t.keys[0] = throttleKey("recover", string(t.mac[:]), t.proof.credential())
	if err := s.throttle.wait(ctx, t.keys...); err != nil {
		return "", err
	}
	secret, err = s.recoverNow(ctx, t, password)
	s.throttle.count(err, t.keys...)
	if err != nil {
		return secret, fmt.Errorf("recover: %w", err)
	}
	return secret, nil
}

func (s *Service) recoverNow(ctx context.Context, t *try, password string) (string, error) {
	row, err := s.lookUp(ctx, t.mac)
	if err != nil {
		return "", err
	}
	rows, err := s.store.Credentials(ctx, row.ID)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return "", err
	}
	_, root, err := s.unlock(ctx, s.owner(row.ID, row.Key.Generation), rows, &t.proof, RecoveryCode)
	if err != nil {
		return "", err
	}
	defer root.Wipe()
	if row.State != Active {
		return "", ErrDisabled
	}
	return s.replacePassword(ctx, row, rows, &root, password)
}

package mailbox

import (
	"context"
	"fmt"

	"github.com/restante/restante/mailbox/seal"
)

// SetState enables or disables an account. Disabling ends its sessions.
func (s *Service) SetState(ctx context.Context, id AccountID, state AccountState) error {
	if s.closed() {
		return ErrClosed
	}
	if err := s.store.SetState(ctx, id, state); err != nil {
		return fmt.Errorf("set state: %w", err)
	}
	return s.recheck(ctx, id)
}

// RemoveAccount deletes an account and everything it owns, and ends its sessions. If
// it fails half-way, the account is disabled and has lost some of its mail; doing it
// again removes the rest.
func (s *Service) RemoveAccount(ctx context.Context, id AccountID) error {
	if err := s.SetState(ctx, id, Disabled); err != nil {
		return fmt.Errorf("remove account: %w", err)
	}
	if err := s.empty(ctx, id); err != nil {
		return fmt.Errorf("remove account: %w", err)
	}
	if err := s.store.RemoveAccount(ctx, id); err != nil {
		return fmt.Errorf("remove account: %w", err)
	}
	return s.recheck(ctx, id)
}

// SetPassword sets a new password, which the old one or the recovery code
// proves the right to; "" generates a secret. It returns the new secret. The
// old one is of no use from then on, and sessions that it opened end. The
// recovery code stays. Errors: ErrAuth, ErrBusy, ErrThrottled, ErrNoAccount,
// ErrGone if the password was changed at the same moment, and ErrName for a password
// that reads like a generated secret.
func (s *Service) SetPassword(ctx context.Context, id AccountID, oldOrRecovery, password string) (secret string, err error) {
	if s.closed() {
		return "", ErrClosed
	}
	row, err := s.store.Account(ctx, id)
	if err != nil {
		return "", fmt.Errorf("set password: %w", err)
	}
	rows, err := s.store.Credentials(ctx, id)
	if err != nil {
		return "", fmt.Errorf("set password: %w", err)
	}
	root, err := s.proveRight(ctx, row, rows, newProof(oldOrRecovery))
	if err != nil {
		return "", fmt.Errorf("set password: %w", err)
	}
	defer root.Wipe()
	if secret, err = s.replacePassword(ctx, row, rows, &root, password); err != nil {
		return secret, fmt.Errorf("set password: %w", err)
	}
	return secret, nil
}

// replacePassword gives an account another password, or a generated secret if it
// is "", and ends the sessions of the old one. If only the latter fails, the new
// secret is returned beside the error.
func (s *Service) replacePassword(ctx context.Context, row Account, rows []Credential, root *seal.Root, password string) (string, error) {
	owner := s.owner(row.ID, row.Key.Generation)
	main, secret, err := s.newCredential(ctx, MainSecret, owner, root, password)
	if err != nil {
		return "", err
	}
	add, err := s.withSCRAM([]Credential{main}, secret, owner, root, scramSalt(rows))
	if err != nil {
		return "", err
	}
	if err := s.store.ReplaceCredentials(ctx, row.ID, replaced(rows), add, nil); err != nil {
		return "", err
	}
	return secret, s.recheck(ctx, row.ID)
}

// proveRight opens the root with a secret that may set a new password.
func (s *Service) proveRight(ctx context.Context, row Account, rows []Credential, p proof) (seal.Root, error) {
	key := throttleKey("passwd", row.ID.String(), p.credential())
	if err := s.throttle.wait(ctx, key); err != nil {
		return seal.Root{}, err
	}
	_, root, err := s.unlock(ctx, s.owner(row.ID, row.Key.Generation), rows, &p, MainSecret, ChosenPassword, RecoveryCode)
	s.throttle.count(err, key)
	return root, err
}

// replaced lists the credentials that a new password takes the place of: the old
// secret or password, and the companion of the former.
func replaced(rows []Credential) []CredentialID {
	var drop []CredentialID
	for _, c := range rows {
		if c.Kind == MainSecret || c.Kind == ChosenPassword {
			drop = append(drop, c.ID)
		}
	}
	return append(drop, companions(rows, drop...)...)
}

// ResetAccount gives an account new keys, a new password ("" generates a secret)
// and a new recovery code, for when both old ones are lost. What is sealed to the
// old keys can't be read by anyone any more: it is deleted, and unreadable says
// how many messages that were. If it fails half-way the account has its new keys
// and may hold remains; doing it again removes them.
func (s *Service) ResetAccount(ctx context.Context, id AccountID, password string) (c Created, unreadable int64, err error) {
	if s.closed() {
		return Created{}, 0, ErrClosed
	}
	row, err := s.store.Account(ctx, id)
	if err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	old, err := s.store.Credentials(ctx, id)
	if err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	root, generation := seal.NewRoot(), row.Key.Generation+1
	defer root.Wipe()
	c, add, err := s.newCredentials(ctx, s.owner(id, generation), &root, password)
	if err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	drop := make([]CredentialID, 0, len(old))
	for _, o := range old {
		drop = append(drop, o.ID)
	}
	key := AccountKey{Public: root.PrivateKey().PublicKey().Bytes(), Generation: generation}
	change, addresses, err := s.newEntries(ctx, id, key)
	if err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	if err := s.store.ReplaceCredentials(ctx, id, drop, add, change); err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	if err := s.recheck(ctx, id); err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	if err := s.clearOut(ctx, id, generation, root.Keys(s.owner(id, generation))); err != nil {
		return Created{}, 0, fmt.Errorf("reset account: %w", err)
	}
	c.Account, c.Address = id, addresses[0] // every account has one
	return c, row.Used.Messages, nil
}

// clearOut deletes all that an account's former keys sealed, and makes its default
// folders anew. Mail that has come for the new keys meanwhile is in INBOX, and stays.
func (s *Service) clearOut(ctx context.Context, id AccountID, generation uint32, keys *seal.Keys) error {
	boxes, err := s.store.Mailboxes(ctx, id)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		if b.ID != Inbox {
			err = s.deleteMailbox(ctx, id, b.ID)
		} else {
			err = s.expungeSealedBefore(ctx, id, Inbox, generation)
		}
		if err != nil {
			return err
		}
	}
	return s.remake(ctx, id, keys)
}

// remake makes the default folders and drops the subscriptions there were.
func (s *Service) remake(ctx context.Context, id AccountID, keys *seal.Keys) error {
	subscribed, err := s.store.Subscriptions(ctx, id)
	if err != nil {
		return err
	}
	for _, n := range subscribed {
		if err := s.store.SetSubscription(ctx, id, n, false, 0); err != nil {
			return err
		}
	}
	boxes, err := s.newMailboxes(keys)
	if err != nil {
		return err
	}
	for _, b := range boxes[1:] {
		if _, err := s.store.CreateMailbox(ctx, id, b, s.o.Limits.Mailboxes); err != nil {
			return err
		}
	}
	// INBOX keeps its id, and takes its name under the new keys.
	if err := s.store.RenameMailboxes(ctx, id, []Rename{{ID: Inbox, Name: boxes[0].Name}}); err != nil {
		return err
	}
	return s.subscribeAll(ctx, id, boxes)
}

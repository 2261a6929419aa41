package mailbox

import (
	"context"

	"github.com/restante/restante/internal/addr"
)

// NewAccountOptions says how to make an account.
type NewAccountOptions struct {
	Password string // "" generates a secret
	Quota    *Quota // nil is Options.DefaultQuota
}

// Created is what the owner of a new account, or of one that was reset, must be
// shown: it can't be had again.
type Created struct {
	Account  AccountID
	Address  addr.Address
	Secret   string // the password given, or the generated secret
	Recovery string // recovery code: it sets a new password, and does not log in
}

// AccountInfo is an account with its addresses opened from the sealed
// directory.
type AccountInfo struct {
	Account
	Addresses []addr.Address // oldest first
}

// CreateAccount makes an account with INBOX and the default folders. Errors:
// ErrExists if the address is taken, ErrBusy.
func (s *Service) CreateAccount(ctx context.Context, a addr.Address, o NewAccountOptions) (Created, error) {
	panic("soon")
}

// Accounts calls f for each account, in order of id.
func (s *Service) Accounts(ctx context.Context, f func(AccountInfo) error) error { panic("soon") }

// FindAccount finds an account by address, by local part at the primary domain,
// or by short id, in this order; else ErrNoAccount.
func (s *Service) FindAccount(ctx context.Context, ref string) (AccountInfo, error) { panic("soon") }

// SetState enables or disables an account. Disabling ends its sessions.
func (s *Service) SetState(ctx context.Context, id AccountID, state AccountState) error {
	panic("soon")
}

// RemoveAccount deletes an account and everything it owns, and ends its sessions.
func (s *Service) RemoveAccount(ctx context.Context, id AccountID) error { panic("soon") }

// SetPassword sets a new password, which the old one or the recovery code
// proves the right to; "" generates a secret. It returns the new secret. The
// old one is of no use from then on, and sessions that it opened end. Errors:
// ErrAuth, ErrBusy, ErrNoAccount.
func (s *Service) SetPassword(ctx context.Context, id AccountID, oldOrRecovery, password string) (secret string, err error) {
	panic("soon")
}

// ResetAccount gives an account new keys and a new password ("" generates a
// secret) when both the old one and the recovery code are lost. What is sealed
// to the old keys can't be read by anyone any more: it is deleted, and
// unreadable says how many messages that were.
func (s *Service) ResetAccount(ctx context.Context, id AccountID, password string) (c Created, unreadable int64, err error) {
	panic("soon")
}

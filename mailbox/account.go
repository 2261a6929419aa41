package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// NewAccountOptions says how to make an account.
type NewAccountOptions struct {
	Password string // "" generates a secret
	Quota    *Quota // nil is Options.DefaultQuota
	Options  AddressOptions

	// ByOperator makes the account however little room there is.
	ByOperator bool
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

// CreateAccount makes an account with INBOX and the default folders, all of them
// subscribed. Errors: ErrExists if the address is taken, ErrBusy, ErrFull while room is
// scarce, and ErrName for a password that reads like a generated secret.
func (s *Service) CreateAccount(ctx context.Context, a addr.Address, o NewAccountOptions) (Created, error) {
	if s.closed() {
		return Created{}, ErrClosed
	}
	if s.level() != roomy && !o.ByOperator {
		return Created{}, ErrFull
	}
	root := seal.NewRoot()
	defer root.Wipe()
	id := AccountID(randomID())
	c, credentials, err := s.newCredentials(ctx, s.owner(id, 1), &root, o.Password)
	if err != nil {
		return Created{}, err
	}
	quota := s.o.DefaultQuota
	if o.Quota != nil {
		quota = *o.Quota
	}
	keys := root.Keys(s.owner(id, 1))
	boxes, err := s.newMailboxes(keys)
	if err != nil {
		return Created{}, err
	}
	key := AccountKey{Public: root.PrivateKey().PublicKey().Bytes(), Generation: 1}
	err = s.store.CreateAccount(ctx, NewAccount{
		ID: id, Key: key, Quota: quota,
		Address: s.directoryEntry(id, key, a, o.Options), Credentials: credentials,
		Inbox: boxes[0], Mailboxes: boxes[1:], Created: s.today(),
	})
	if err != nil {
		return Created{}, fmt.Errorf("create account: %w", err)
	}
	c.Account, c.Address = id, a
	return c, s.subscribeAll(ctx, id, boxes)
}

// newCredentials makes the credentials of an account: the secret, with its
// companion, or the password, and the recovery code.
func (s *Service) newCredentials(ctx context.Context, owner seal.Owner, root *seal.Root, password string) (Created, []Credential, error) {
	main, secret, err := s.newCredential(ctx, MainSecret, owner, root, password)
	if err != nil {
		return Created{}, nil, err
	}
	for {
		recovery, code, err := s.newCredential(ctx, RecoveryCode, owner, root, "")
		if err != nil {
			return Created{}, nil, err
		}
		if recovery.Selector == main.Selector {
			continue
		}
		list, err := s.withSCRAM([]Credential{main, recovery}, secret, owner, root, scramSalt(nil))
		return Created{Secret: secret, Recovery: code}, list, err
	}
}

// newMailboxes returns INBOX and the default folders.
func (s *Service) newMailboxes(keys *seal.Keys) ([]NewMailbox, error) {
	boxes := []NewMailbox{s.newMailbox(keys, inboxName, NoUse)}
	for _, f := range s.o.Folders {
		name, err := cleanName(f.Name)
		if err != nil || name == inboxName {
			return nil, fmt.Errorf("default folder %q: %w", f.Name, ErrName)
		}
		boxes = append(boxes, s.newMailbox(keys, name, f.Use))
	}
	return boxes, nil
}

func (s *Service) newMailbox(keys *seal.Keys, name string, use SpecialUse) NewMailbox {
	// RFC 9051, 2.3.1.1 suggests the time for UIDVALIDITY.
	return NewMailbox{Name: sealName(keys, name), Use: use, UIDValidity: uint32(s.now().Unix())}
}

// subscribeAll subscribes the mailboxes an account is made with: clients that
// list only subscriptions would show nothing else.
func (s *Service) subscribeAll(ctx context.Context, id AccountID, boxes []NewMailbox) error {
	for _, b := range boxes {
		if err := s.store.SetSubscription(ctx, id, b.Name, true, s.o.Limits.Subscriptions); err != nil {
			return fmt.Errorf("subscribe default folders: %w", err)
		}
	}
	return nil
}

// Accounts calls f for each account, in order of id.
func (s *Service) Accounts(ctx context.Context, f func(AccountInfo) error) error {
	if s.closed() {
		return ErrClosed
	}
	return s.store.Accounts(ctx, func(a Account) error {
		info, err := s.info(ctx, a)
		if err != nil {
			return err
		}
		return f(info)
	})
}

// FindAccount finds an account by address, by local part at the primary domain,
// or by short id, in this order; else ErrNoAccount.
func (s *Service) FindAccount(ctx context.Context, ref string) (AccountInfo, error) {
	if s.closed() {
		return AccountInfo{}, ErrClosed
	}
	row, err := s.find(ctx, ref)
	if err != nil {
		return AccountInfo{}, fmt.Errorf("find account: %w", err)
	}
	return s.info(ctx, row)
}

func (s *Service) find(ctx context.Context, ref string) (Account, error) {
	if a, err := s.userAddress(ref); err == nil {
		row, err := s.store.Lookup(ctx, s.key.AddressMAC(a.Key()))
		if !errors.Is(err, ErrNoAccount) {
			return row, err // even if its entry does not hold: the operator may have come to mend it
		}
	}
	id, err := ParseAccountID(ref)
	if err != nil {
		return Account{}, err
	}
	return s.store.Account(ctx, id)
}

// userAddress reads a user name: an address, or a local part at the primary
// domain.
func (s *Service) userAddress(user string) (addr.Address, error) {
	if !strings.Contains(user, "@") {
		user += "@" + s.o.Domain
	}
	return addr.Parse(user)
}

func (s *Service) info(ctx context.Context, a Account) (AccountInfo, error) {
	addresses, err := s.addresses(ctx, a.ID)
	return AccountInfo{Account: a, Addresses: addresses}, err
}

func (s *Service) owner(id AccountID, generation uint32) seal.Owner {
	return seal.Owner{Store: s.store.ID(), Account: int64(id), Generation: generation}
}

package mailbox

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// MaxBlocked is how many senders an account can block.
const MaxBlocked = 1000

// BlockedSender is a sender whom an account doesn't want to hear: an address, or a
// whole domain, which is written "@domain".
type BlockedSender struct {
	ID     string // for Unblock; it says nothing of the sender
	Sender string // "" if it can't be read; Unblock takes it away nevertheless
}

// Block has mail from a sender refused: from an address, or from everybody at
// "@domain". Errors: ErrAuth if the session may not manage the account, ErrName for
// what is neither, ErrLimit if MaxBlocked are blocked already.
func (x *Session) Block(ctx context.Context, sender string) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("block sender: %w", err)
	}
	sender, err = cleanSender(sender)
	if err != nil {
		return fmt.Errorf("block sender: %w", err)
	}
	b := Blocked{MAC: own.svc.key.SenderMAC(int64(own.id), sender)}
	b.Generation = own.sealer.Generation
	b.Sealed = own.keys.SealNote(blockedLabel(b.MAC), []byte(sender))
	if err := own.svc.store.Block(ctx, own.id, b, MaxBlocked); err != nil {
		return fmt.Errorf("block sender: %w", err)
	}
	return nil
}

// Unblock takes a sender away from those who are blocked. Errors: ErrAuth if the
// session may not manage the account, ErrName for what is no ID.
func (x *Session) Unblock(ctx context.Context, id string) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("unblock sender: %w", err)
	}
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(seal.SenderMAC{}) {
		return fmt.Errorf("unblock sender: %w", ErrName)
	}
	if err := own.svc.store.Unblock(ctx, own.id, seal.SenderMAC(b)); err != nil {
		return fmt.Errorf("unblock sender: %w", err)
	}
	return nil
}

// BlockedSenders lists them in order. The error is ErrAuth if the session may not
// manage the account.
func (x *Session) BlockedSenders(ctx context.Context) ([]BlockedSender, error) {
	own, err := x.manager()
	if err != nil {
		return nil, fmt.Errorf("list blocked senders: %w", err)
	}
	rows, err := own.svc.store.BlockedBy(ctx, own.id)
	if err != nil {
		return nil, fmt.Errorf("list blocked senders: %w", err)
	}
	var list []BlockedSender
	for _, b := range rows {
		sender, err := own.keys.OpenNote(blockedLabel(b.MAC), b.Sealed)
		if err != nil {
			own.svc.log.Error("a blocked sender does not open", "account", own.id, "error", err)
		}
		list = append(list, BlockedSender{hex.EncodeToString(b.MAC[:]), string(sender)})
	}
	slices.SortFunc(list, func(a, b BlockedSender) int { return strings.Compare(a.Sender, b.Sender) })
	return list, nil
}

func blockedLabel(mac seal.SenderMAC) string { return fmt.Sprintf("blocked %x", mac) }

// cleanSender brings what is to be blocked to its canonical form.
func cleanSender(sender string) (string, error) {
	sender = strings.TrimSpace(sender)
	if domain, ok := strings.CutPrefix(sender, "@"); ok {
		a, err := addr.Parse("postmaster@" + domain)
		if err != nil {
			return "", ErrName
		}
		return "@" + a.Domain(), nil
	}
	a, err := addr.Parse(sender)
	if err != nil {
		return "", ErrName
	}
	return a.Key(), nil
}

// Blocks reports whether a recipient doesn't want to hear a sender. The null sender,
// of reports, is never blocked.
func (s *Service) Blocks(ctx context.Context, r Recipient, from addr.Address) (bool, error) {
	if s.closed() {
		return false, ErrClosed
	}
	if from.IsZero() {
		return false, nil
	}
	id := int64(r.Account)
	one := s.key.SenderMAC(id, from.Key())
	found, err := s.recall.blocks.get(one, func() (bool, error) {
		return s.store.Blocks(ctx, r.Account, one, s.key.SenderMAC(id, "@"+from.Domain()))
	})
	if err != nil {
		return false, fmt.Errorf("look for blocked sender: %w", err)
	}
	return found, nil
}

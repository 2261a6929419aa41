package mailbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/restante/restante/mailbox/seal"
)

const (
	// PushDays is how long a push token is kept after its device gave it last.
	PushDays = 90

	maxPushTokens = MaxDevices
	maxPushToken  = 4 << 10
)

// PushToken is what wakes a device: it is given to the push proxy as it is.
type PushToken string

// LogValue hides it from logs.
func (PushToken) LogValue() slog.Value { return slog.StringValue("[push token]") }

// AddPushToken keeps the push token of one of the owner's devices, or notes that it
// still holds. An account has some 50; the oldest go. Errors: ErrTooLarge, and
// ErrName for a token that is empty.
func (x *Session) AddPushToken(ctx context.Context, t PushToken) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	switch {
	case t == "":
		return ErrName
	case len(t) > maxPushToken:
		return ErrTooLarge
	}
	s := own.svc
	mac := s.key.TokenMAC(int64(own.id), string(t))
	row := PushTokenRow{MAC: mac, Sealed: s.key.Seal(seal.PushToken, tokenRow(own.id, mac), []byte(t)), Day: s.today()}
	if err := s.store.AddPushToken(ctx, own.id, row, maxPushTokens); err != nil {
		return fmt.Errorf("add push token: %w", err)
	}
	return nil
}

// PushTokens lists the account's push tokens, the newest first.
func (x *Session) PushTokens(ctx context.Context) ([]PushToken, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	return own.svc.PushTokens(ctx, own.id)
}

// DropPushTokens forgets all push tokens of the account.
func (x *Session) DropPushTokens(ctx context.Context) error {
	tokens, err := x.PushTokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := x.own.svc.DropPushToken(ctx, x.own.id, t); err != nil {
			return err
		}
	}
	return nil
}

// PushTokens lists what wakes the devices of an account, the newest first: those
// given in the last PushDays. It takes no session, because it is asked for while the
// owner is away. One that does not open is left out and logged.
func (s *Service) PushTokens(ctx context.Context, id AccountID) ([]PushToken, error) {
	rows, err := s.store.PushTokens(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list push tokens: %w", err)
	}
	var list []PushToken
	for _, r := range rows {
		if r.Day+PushDays <= s.today() {
			continue
		}
		token, err := s.key.Open(seal.PushToken, tokenRow(id, r.MAC), r.Sealed)
		if err != nil {
			s.log.Error("push token does not open", "account", id, "error", err)
			continue
		}
		list = append(list, PushToken(token))
	}
	return list, nil
}

// DropPushToken forgets a push token that its proxy no longer knows.
func (s *Service) DropPushToken(ctx context.Context, id AccountID, t PushToken) error {
	if err := s.store.DropPushToken(ctx, id, s.key.TokenMAC(int64(id), string(t))); err != nil {
		return fmt.Errorf("drop push token: %w", err)
	}
	return nil
}

// tokenRow is what the sealed token is bound to.
func tokenRow(id AccountID, mac seal.TokenMAC) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(id)), mac[:]...)
}

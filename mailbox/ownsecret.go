package mailbox

import (
	"context"
	"fmt"
	"slices"
)

// SetSecret puts a generated secret that the owner's program has made in the place of the
// account's password, and has the account get new keys at the next login: whoever knew the
// password may have known what it opened. The program keeps the secret before it sets it,
// so that an answer that is lost locks nobody out, and can set it again. The recovery
// code and the device passwords stay. All sessions end, this one as well.
//
// Errors: ErrAuth if the session may not manage the account; ErrName if the text has not
// the form of a generated secret; ErrExists if it can't be told from another of the
// account's, which happens once in a million; ErrGone if the password was changed at the
// same moment.
func (x *Session) SetSecret(ctx context.Context, text string) error {
	m, err := x.manage(ctx)
	if err != nil {
		return fmt.Errorf("set secret: %w", err)
	}
	p, drop := newProof(text), replaced(m.rows)
	other := func(c Credential) bool {
		return c.Selector == p.secret.Selector() && !slices.Contains(drop, c.ID)
	}
	switch {
	case !p.generated:
		return fmt.Errorf("set secret: %w: it has not the form of a generated one", ErrName)
	case slices.ContainsFunc(m.rows, other):
		return fmt.Errorf("set secret: %w", ErrExists)
	}
	add, err := m.mainSecret(ctx, p)
	if err != nil {
		return fmt.Errorf("set secret: %w", err)
	}
	if err := m.own.svc.store.ReplaceCredentials(ctx, m.own.id, drop, add, nil); err != nil {
		return fmt.Errorf("set secret: %w", err)
	}
	return m.own.svc.RequestRotation(ctx, m.own.id)
}

// mainSecret makes the account's own credential for a generated secret, and its companion.
func (m *management) mainSecret(ctx context.Context, p proof) ([]Credential, error) {
	root, err := m.own.copyRoot()
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	c, err := m.own.svc.credentialFor(ctx, MainSecret, m.own.sealer, &root, p)
	if err != nil {
		return nil, err
	}
	return m.own.svc.withSCRAM([]Credential{c}, p.secret.Reveal(), m.own.sealer, &root, scramSalt(m.rows))
}

package mailbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/restante/restante/mailbox/seal"
)

// proof is what a person shows to prove that an account is theirs. A valid
// checksum tells a generated secret from a chosen password (DESIGN §8.2).
type proof struct {
	text      string
	secret    seal.Secret
	generated bool
}

// newProof reads what a person typed. Passwords are prepared as RFC 8265, 4.2
// asks, so that two keyboards that write one letter in two ways are no matter.
func newProof(text string) proof {
	if secret, err := seal.ParseSecret(text); err == nil {
		return proof{text: text, secret: secret, generated: true}
	}
	spaces := func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}
	return proof{text: norm.NFC.String(strings.Map(spaces, text))}
}

// credential names the credential it must be, among those of the account.
func (p *proof) credential() string {
	if p.generated {
		return p.secret.Selector()
	}
	return "password"
}

// row finds the credential in question among those of a kind that is allowed.
func (p *proof) row(rows []Credential, allowed ...CredentialKind) (Credential, bool) {
	i := slices.IndexFunc(rows, func(c Credential) bool {
		if !slices.Contains(allowed, c.Kind) {
			return false
		}
		return p.generated == (c.Kind != ChosenPassword) && (!p.generated || c.Selector == p.secret.Selector())
	})
	if i < 0 {
		return Credential{}, false
	}
	return rows[i], true
}

// factor stretches the proof as the credential says.
func (s *Service) factor(ctx context.Context, p *proof, kdf seal.KDF) (seal.Factor, error) {
	if !kdf.Slow() {
		return kdf.Secret(p.secret)
	}
	if err := s.stretch.enter(ctx); err != nil {
		return seal.Factor{}, err
	}
	defer s.stretch.leave()
	return kdf.Password(p.text)
}

// newKDF is how a new credential stretches the proof. It also stands in for a
// credential that isn't there, so that asking for it takes the same work as asking for
// one that is.
func (s *Service) newKDF(p *proof) (seal.KDF, error) {
	if p.generated {
		return seal.SecretKDF(), nil
	}
	return seal.PasswordKDF(s.o.Passwords)
}

// unlock opens the root of an account with a proof. The error is ErrAuth if the
// account has no such credential or the proof is wrong, after the same work.
func (s *Service) unlock(ctx context.Context, owner seal.Owner, rows []Credential, p *proof, allowed ...CredentialKind) (Credential, seal.Root, error) {
	c, found := p.row(rows, allowed...)
	kdf, err := s.newKDF(p)
	if found {
		kdf, err = seal.ParseKDF(c.KDF)
	}
	if err != nil {
		return Credential{}, seal.Root{}, fmt.Errorf("%w: credential of account %s: %w", ErrCorrupt, AccountID(owner.Account), err)
	}
	f, err := s.factor(ctx, p, kdf)
	if err != nil {
		return Credential{}, seal.Root{}, fmt.Errorf("check secret: %w", err)
	}
	defer f.Wipe()
	if !f.Verify(c.Verifier) || !found {
		return Credential{}, seal.Root{}, ErrAuth
	}
	root, err := c.unwrap(&f, owner)
	if err != nil {
		return Credential{}, seal.Root{}, err
	}
	return c, root, nil
}

// wrap has a credential open a root: this one now, and a later one that is handed to
// its public key.
func (c *Credential) wrap(f *seal.Factor, owner seal.Owner, root *seal.Root) {
	c.Wrapped, c.Generation = f.WrapRoot(owner, int64(c.ID), root), owner.Generation
	c.Public = root.Keys(owner).SealNote(publicLabel(c.ID), f.PublicKey().Bytes())
}

func publicLabel(id CredentialID) string {
	return "public key of credential " + strconv.FormatInt(int64(id), 10)
}

// unwrap opens the root of an account. Errors: ErrCorrupt, errRotated.
func (c *Credential) unwrap(f *seal.Factor, owner seal.Owner) (seal.Root, error) {
	if g, err := seal.Generation(c.Wrapped); err == nil && g > owner.Generation {
		return seal.Root{}, fmt.Errorf("%w: account %s", errRotated, AccountID(owner.Account))
	}
	root, err := f.UnwrapRoot(owner, int64(c.ID), c.Wrapped)
	if err != nil {
		return seal.Root{}, fmt.Errorf("%w: root secret of account %s: %w", ErrCorrupt, AccountID(owner.Account), err)
	}
	return root, nil
}

// newCredential makes a credential that opens root: for the password, or for a
// secret of its own if password is "". It returns what its owner must be shown.
func (s *Service) newCredential(ctx context.Context, kind CredentialKind, owner seal.Owner, root *seal.Root, password string) (Credential, string, error) {
	p := newProof(password)
	switch {
	case password == "":
		p = newProof(seal.NewSecret().Reveal())
	case p.generated:
		// It would be looked for by its selector, among our own.
		return Credential{}, "", fmt.Errorf("%w: a password must not have the form of a generated secret", ErrName)
	default:
		kind = ChosenPassword
	}
	c, err := s.credentialFor(ctx, kind, owner, root, p)
	return c, p.text, err
}

// credentialFor makes a credential that opens root for who has the proof.
func (s *Service) credentialFor(ctx context.Context, kind CredentialKind, owner seal.Owner, root *seal.Root, p proof) (Credential, error) {
	kdf, err := s.newKDF(&p)
	if err != nil {
		return Credential{}, err
	}
	f, err := s.factor(ctx, &p, kdf)
	if err != nil {
		return Credential{}, fmt.Errorf("make credential: %w", err)
	}
	defer f.Wipe()
	verifier := f.Verifier()
	c := Credential{ID: CredentialID(randomID()), Kind: kind, KDF: kdf.Bytes(), Verifier: verifier[:], Created: s.today()}
	if p.generated {
		c.Selector = p.secret.Selector()
	}
	c.wrap(&f, owner, root)
	return c, nil
}

// randomID returns a random positive number of 63 bits.
func randomID() int64 {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		if n := int64(binary.BigEndian.Uint64(b[:]) >> 1); n > 0 {
			return n
		}
	}
}

// turnstile lets some in at a time and some more wait.
type turnstile struct {
	inside  chan struct{}
	waiting atomic.Int64
	queue   int64
}

func newTurnstile(inside, queue int) *turnstile {
	return &turnstile{inside: make(chan struct{}, inside), queue: int64(queue)}
}

// enter waits for its turn, and returns ErrBusy at once if the queue is full.
// Whoever entered must leave.
func (t *turnstile) enter(ctx context.Context) error {
	select {
	case t.inside <- struct{}{}:
		return nil
	default:
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > t.queue {
		return ErrBusy
	}
	select {
	case t.inside <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turnstile) leave() { <-t.inside }

package gateway

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/restante/restante/gateway/cpace"
	"github.com/restante/restante/gateway/vault"
)

// The outcomes of pairing that callers tell apart.
var (
	// ErrPairCode: the other side does not know the code. It learned nothing, and the
	// code is of no use any more.
	ErrPairCode = errors.New("the code was wrong: it is of no use any more, begin again with a new one")
	// ErrPairing: the two devices don't understand each other.
	ErrPairing = errors.New("pairing went wrong: begin again on both devices")
)

// How long each side waits for the other.
const (
	offerTime = 10 * time.Minute
	joinTime  = time.Minute

	refuseTime = 10 * time.Second // for the other side to see that it was refused
)

// NewPairCode returns a code to pair with. Whoever guesses has one try in a hundred
// million, for the code is burned by the first wrong one.
func NewPairCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic("restante: internal error: no random numbers: " + err.Error())
	}
	digits := fmt.Sprintf("%08d", n)
	return digits[:4] + "-" + digits[4:]
}

// plainCode takes out what people put between digits.
func plainCode(code string) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, code))
}

// pairSecrets are what both sides make of the key that they have in common.
type pairSecrets struct {
	proof  []byte // of the one who joins
	bundle string // under which the bundle is sealed
}

func newPairSecrets(key, session []byte) (pairSecrets, error) {
	derive := func(label string) ([]byte, error) {
		return hkdf.Key(sha256.New, key, session, "restante pairing 1 "+label, sha256.Size)
	}
	proof, err := derive("proof")
	if err != nil {
		return pairSecrets{}, err
	}
	bundle, err := derive("bundle")
	return pairSecrets{proof, base64.RawStdEncoding.EncodeToString(bundle)}, err
}

// context binds a run to the account.
func (p *pairing) context() []byte { return []byte("restante pairing 1\x00" + p.u.Address.Key()) }

// Pair gives everything to another device of the user, which must join with the code
// within ten minutes. It returns nil when that device has all. Errors: ErrPairCode,
// ErrPairing.
func (g *Gateway) Pair(ctx context.Context, code string) error {
	ctx, cancel := context.WithTimeout(ctx, offerTime)
	defer cancel()
	if _, err := RecoveryCode(g.o.Vault); err != nil { // both devices keep one backup
		return err
	}
	return g.upstream.onServer(ctx, func(r *remote) error {
		p := &pairing{r: r, u: g.upstream, now: g.o.Now}
		if err := p.sweep(); err != nil {
			return err
		}
		err := g.offer(ctx, p, code)
		return errors.Join(err, p.sweep())
	})
}

func (g *Gateway) offer(ctx context.Context, p *pairing, code string) error {
	session := make([]byte, 16)
	rand.Read(session)
	party, share := cpace.Start(plainCode(code), p.context(), session)
	if err := p.say(pairOffer, pairMail{Session: session, Share: share}); err != nil {
		return err
	}
	_, join, err := p.hear(ctx, session, pairJoin)
	if err != nil {
		return explainWait(err)
	}
	secrets, err := p.judge(party, share, session, join)
	if err != nil {
		// The other side is told, if it listens; what counts is the first error.
		_ = p.say(pairRefuse, pairMail{Session: session})
		brief, cancel := context.WithTimeout(ctx, refuseTime)
		defer cancel()
		_, _, _ = p.hear(brief, session, pairDone)
		return err
	}
	b, err := newBundle(g.o.Vault, p.now(), false)
	if err != nil {
		return err
	}
	packed, err := b.pack()
	if err != nil {
		return err
	}
	if err := p.put(pairKeys, packed, secrets.bundle); err != nil {
		return err
	}
	_, _, err = p.hear(ctx, session, pairDone)
	return explainWait(err)
}

// judge decides whether who joined knows the code.
func (p *pairing) judge(party *cpace.Party, share, session []byte, join pairMail) (pairSecrets, error) {
	key, err := party.FinishFirst(share, join.Share)
	if err != nil {
		return pairSecrets{}, ErrPairCode
	}
	secrets, err := newPairSecrets(key, session)
	if err == nil && !hmac.Equal(secrets.proof, join.Proof) {
		err = ErrPairCode
	}
	return secrets, err
}

// PairStep is what JoinPair is at.
type PairStep int

// The steps, in this order.
const (
	PairLogIn PairStep = iota // into the account
	PairWait                  // for the other device's offer
	PairProve                 // that the code is known, and wait for everything
	PairTake                  // what came, into the vault
)

// Newcomer is what the new device of a pairing knows.
type Newcomer struct {
	Account Account
	Code    string
	Now     func() time.Time
	Step    func(PairStep) // is told each step as it begins; nil is nobody
}

// JoinPair takes everything from the device that shows the code, into a vault that has no
// account yet. The vault is whole when JoinPair returns nil; after an error nothing is in
// it, or JoinPair can be repeated with another code. Errors: ErrPairCode, ErrPairing,
// ErrPassword.
func JoinPair(ctx context.Context, v *vault.Vault, j Newcomer) error {
	u, err := j.Account.Upstream()
	if err != nil {
		return err
	}
	if j.Step == nil {
		j.Step = func(PairStep) {}
	}
	j.Step(PairLogIn)
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	return u.onServer(ctx, func(r *remote) error {
		p := &pairing{r: r, u: u, now: j.Now}
		b, session, err := p.join(ctx, j)
		if err == nil {
			j.Step(PairTake)
			err = b.install(v, j.Account)
		}
		if session == nil {
			return err
		}
		return errors.Join(err, p.say(pairDone, pairMail{Session: session}))
	})
}

// join answers an offer and waits for the bundle. The session is nil until there was one.
func (p *pairing) join(ctx context.Context, j Newcomer) (*bundle, []byte, error) {
	j.Step(PairWait)
	_, offer, err := p.hear(ctx, nil, pairOffer)
	if err != nil {
		return nil, nil, explainWait(err)
	}
	j.Step(PairProve)
	party, share := cpace.Start(plainCode(j.Code), p.context(), offer.Session)
	key, err := party.FinishSecond(share, offer.Share)
	if err != nil {
		return nil, nil, ErrPairing
	}
	secrets, err := newPairSecrets(key, offer.Session)
	if err != nil {
		return nil, nil, err
	}
	if err := p.say(pairJoin, pairMail{Session: offer.Session, Share: share, Proof: secrets.proof}); err != nil {
		return nil, nil, err
	}
	which, mail, err := p.await(ctx, pairKeys, pairRefuse)
	switch {
	case err != nil:
		return nil, offer.Session, explainWait(err)
	case which.purpose == pairRefuse:
		return nil, offer.Session, ErrPairCode
	}
	packed, err := openDeviceMail(mail, secrets.bundle)
	if err != nil {
		return nil, offer.Session, ErrPairing
	}
	b, err := unpack(packed)
	return b, offer.Session, err
}

// explainWait says what it means that nobody came.
func explainWait(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the other device did not come: run `restante gateway pair` on both at the same time")
	}
	return err
}

// pairLinkPrefix begins a link that says all that the new device needs.
const pairLinkPrefix = "restante-pair:"

// pairLink is its content.
type pairLink struct {
	Account Account `json:"account"`
	Code    string  `json:"code"`
}

// PairLink returns the code with how the account is reached, and its password, in one
// line: for a QR code, on a screen that nobody else sees.
func PairLink(a Account, code string) (string, error) {
	a.CA = nil // too large for that: it is a file on both machines
	b, err := json.Marshal(pairLink{a, code})
	return pairLinkPrefix + base64.RawURLEncoding.EncodeToString(b), err
}

// ParsePairLink reads what PairLink returned. It reports false for anything else.
func ParsePairLink(text string) (a Account, code string, ok bool) {
	rest, found := strings.CutPrefix(strings.TrimSpace(text), pairLinkPrefix)
	b, err := base64.RawURLEncoding.DecodeString(rest)
	var l pairLink
	if !found || len(rest) > 8<<10 || err != nil || json.Unmarshal(b, &l) != nil || l.Code == "" {
		return Account{}, "", false
	}
	if _, err := l.Account.Upstream(); err != nil || len(l.Account.CA) > 0 {
		return Account{}, "", false
	}
	return l.Account, l.Code, true
}

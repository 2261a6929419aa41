// Package token is about sign-up tokens: each is worth one account, and nobody,
// not even the operator who issued it, can tell later whose account it became.
//
// The operator has a key. A user makes a Pending, sends its Request to the
// operator by whatever way the two know each other, and gets an answer; Finish
// makes a Token of the answer. The relay checks a Token against the public key
// and remembers its ID as spent:
//
//	user       p := token.New()              // keep p.Reveal() until the answer comes
//	           request, err := p.Request(public)
//	operator   answer, err := token.Sign(key, request)
//	user       t, err := p.Finish(public, answer)
//	relay      err := t.Verify(public)       // then remember t.ID() as spent
//
// These are blind RSA signatures (RFC 9474, RSABSSA-SHA384-PSS-Randomized): what
// the operator signs is a number that has nothing in common with the token. What
// is left to link the two by is the time, and the number of tokens: a user should
// wait before using one.
//
// Requests, answers and tokens are lines of text that begin with what they are.
// Spaces and line breaks that mail programs put into them are no matter.
package token

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	rand2 "math/rand/v2"

	"github.com/cloudflare/circl/blindsign/blindrsa"
)

// Outcomes that callers tell apart.
var (
	// ErrFormat: the text is not of the kind that is asked for, or incomplete.
	ErrFormat = errors.New("it is incomplete, or not what belongs here")

	// ErrInvalid: the signature is not by the key it should be by.
	ErrInvalid = errors.New("it was not issued by this relay")

	// ErrSpent: the token was used before.
	ErrSpent = errors.New("the token was used already")
)

// The parts of a token. The relay's key is of one size, so that all tokens look
// the same.
const (
	keyBits = 2048
	sigSize = keyBits / 8
	msgSize = 64 // the randomizer of RFC 9474, 4.1, and a nonce
)

// variant is the one that RFC 9474, 5 recommends.
const variant = blindrsa.SHA384PSSRandomized

// purpose is signed with each nonce, so that a signature is a token and nothing
// else.
const purpose = "restante/token/1 sign-up "

// Token is a sign-up token. It is as good as an account to whoever has it.
type Token struct {
	message [msgSize]byte
	sig     [sigSize]byte
}

// ID is what is remembered of a spent token. It tells nothing about the token, and
// nothing about the account.
type ID [sha256.Size]byte

// Parse reads what Token.Reveal returned. It does not check the signature. The
// error wraps ErrFormat.
func Parse(text string) (Token, error) {
	b, err := decode(kindToken, text)
	if err != nil {
		return Token{}, err
	}
	var t Token
	copy(t.message[:], b)
	copy(t.sig[:], b[msgSize:])
	return t, nil
}

// Reveal returns the token as text.
func (t Token) Reveal() string { return encode(kindToken, t.message[:], t.sig[:]) }

// ID names the token among the spent ones. It is made of what was signed, for a
// signature can be written in more ways than one.
func (t Token) ID() ID { return sha256.Sum256(t.message[:]) }

// Verify checks that one of the keys has issued the token. The error wraps
// ErrInvalid.
func (t Token) Verify(keys ...*rsa.PublicKey) error {
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
		v, err := blindrsa.NewVerifier(variant, k)
		if err == nil {
			err = v.Verify(signed(t.message[:]), t.sig[:])
		}
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("check token: %w", ErrInvalid)
}

// signed returns what is signed for the message of a token.
func signed(message []byte) []byte {
	prefix, nonce := message[:msgSize/2], message[msgSize/2:]
	return append(append(append([]byte{}, prefix...), purpose...), nonce...)
}

// Pending is a token that is asked for. It is a secret of the user's: everything
// else about the token follows from it.
type Pending struct{ seed [32]byte }

// New returns a new Pending.
func New() Pending {
	var p Pending
	_, _ = rand.Read(p.seed[:]) // never fails (crypto/rand)
	return p
}

// ParsePending reads what Pending.Reveal returned. The error wraps ErrFormat.
func ParsePending(text string) (Pending, error) {
	b, err := decode(kindPending, text)
	if err != nil {
		return Pending{}, err
	}
	return Pending{[32]byte(b)}, nil
}

// Reveal returns the secret as text, to be kept until the operator has answered.
func (p Pending) Reveal() string { return encode(kindPending, p.seed[:]) }

// Request returns what the operator needs to see. It is the same each time.
func (p Pending) Request(public *rsa.PublicKey) (string, error) {
	b, err := p.blind(public)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	return encode(kindRequest, b.request), nil
}

// Finish makes the token of the operator's answer. The error wraps ErrFormat or
// ErrInvalid.
func (p Pending) Finish(public *rsa.PublicKey, answer string) (Token, error) {
	blindSig, err := decode(kindAnswer, answer)
	if err != nil {
		return Token{}, err
	}
	b, err := p.blind(public)
	if err != nil {
		return Token{}, fmt.Errorf("finish token: %w", err)
	}
	sig, err := b.client.Finalize(b.state, blindSig)
	if err != nil {
		return Token{}, fmt.Errorf("finish token: %w", ErrInvalid)
	}
	t := Token{message: b.message}
	copy(t.sig[:], sig)
	return t, t.Verify(public)
}

// blinded is a request with what the user keeps of it.
type blinded struct {
	client  blindrsa.Client
	state   blindrsa.State
	message [msgSize]byte
	request []byte
}

// blind makes the request. All chance comes from the seed, because the library's
// state can't be written down until the answer comes.
func (p Pending) blind(public *rsa.PublicKey) (*blinded, error) {
	if err := checkKey(public); err != nil {
		return nil, err
	}
	client, err := blindrsa.NewClient(variant, public)
	if err != nil {
		return nil, err
	}
	b := &blinded{client: client}
	random := chance(p.seed)
	if _, err := io.ReadFull(random, b.message[:]); err != nil {
		return nil, err
	}
	b.request, b.state, err = client.Blind(random, signed(b.message[:]))
	return b, err
}

// chance returns the stream of ChaCha8 under a seed, a generator that is made
// for secrets too (C2SP chacha8rand).
func chance(seed [32]byte) io.Reader { return rand2.NewChaCha8(seed) }

// Sign answers a request. The operator learns nothing of the token. The error
// wraps ErrFormat.
func Sign(key *rsa.PrivateKey, request string) (answer string, err error) {
	b, err := decode(kindRequest, request)
	if err != nil {
		return "", err
	}
	if err := checkKey(&key.PublicKey); err != nil {
		return "", err
	}
	sig, err := blindrsa.NewSigner(key).BlindSign(b)
	if err != nil {
		// The number is not below the key's modulus.
		return "", fmt.Errorf("sign request: %w", ErrFormat)
	}
	return encode(kindAnswer, sig), nil
}

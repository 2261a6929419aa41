// Package cpace is CPace, a balanced PAKE (draft-irtf-cfrg-cpace, with ristretto255 and
// SHA-512): two parties who share a short code get a strong key, and who does not know the
// code learns nothing from a run but whether one guess was right.
//
// The group is gtank/ristretto255 (RFC 9496); this is the layer above it.
//
//	party, share := cpace.Start(code, context, session)   // send share, get the other's
//	key, err := party.FinishFirst(share, theirs)          // who sent first
//	key, err := party.FinishSecond(share, theirs)         // who answered
//
// Both must confirm that they have the same key before they use it, by a MAC under a key
// that is derived from it: CPace itself does not (draft, 9.4).
package cpace

import (
	"crypto/rand"
	"crypto/sha512"
	"errors"

	"github.com/gtank/ristretto255"
)

const (
	dsi       = "CPaceRistretto255"
	blockSize = 128 // of SHA-512, which the draft calls s_in_bytes

	// ShareSize is the size of what the parties send each other.
	ShareSize = 32
)

// ErrShare: what came from the other side is no share. The run is over.
var ErrShare = errors.New("the other side's share is not one")

// Party is one side of a run, good for one. It is not safe for concurrent use.
type Party struct {
	scalar  *ristretto255.Scalar
	session []byte
}

// Start begins a run: code is the shared secret, context says who runs it for what, and
// session is the same on both sides and never used again. It returns the share to send.
func Start(code, context, session []byte) (*Party, []byte) {
	var random [64]byte
	rand.Read(random[:])
	s := ristretto255.NewScalar().FromUniformBytes(random[:])
	return start(code, context, session, s)
}

func start(code, context, session []byte, s *ristretto255.Scalar) (*Party, []byte) {
	share := ristretto255.NewElement().ScalarMult(s, generator(code, context, session))
	return &Party{s, session}, share.Encode(nil)
}

// FinishFirst returns the key of the side that sent first: own is its share, theirs what
// the other has sent. Both keys are the same if both codes are. The error is ErrShare.
func (p *Party) FinishFirst(own, theirs []byte) ([]byte, error) {
	return p.finish(theirs, lengthValue(own, nil, theirs, nil))
}

// FinishSecond is FinishFirst for the side that answered.
func (p *Party) FinishSecond(own, theirs []byte) ([]byte, error) {
	return p.finish(theirs, lengthValue(theirs, nil, own, nil))
}

func (p *Party) finish(theirs, transcript []byte) ([]byte, error) {
	point := ristretto255.NewElement()
	if len(theirs) != ShareSize || point.Decode(theirs) != nil {
		return nil, ErrShare
	}
	point.ScalarMult(p.scalar, point)
	// A share that leads to the neutral element would make the key known to all.
	if point.Equal(ristretto255.NewElement().Zero()) == 1 {
		return nil, ErrShare
	}
	sum := sha512.Sum512(append(lengthValue([]byte(dsi+"_ISK"), p.session, point.Encode(nil)), transcript...))
	return sum[:], nil
}

// generator maps the code to an element of the group.
func generator(code, context, session []byte) *ristretto255.Element {
	sum := sha512.Sum512(generatorString(code, context, session))
	return ristretto255.NewElement().FromUniformBytes(sum[:])
}

// generatorString is the input of that, in which the code fills the first block of the
// hash, whatever its length.
func generatorString(code, context, session []byte) []byte {
	pad := max(0, blockSize-1-len(lengthValue(code))-len(lengthValue([]byte(dsi))))
	return lengthValue([]byte(dsi), code, make([]byte, pad), context, session)
}

// lengthValue joins strings, each with its length before it, in LEB128.
func lengthValue(list ...[]byte) []byte {
	var out []byte
	for _, s := range list {
		n := len(s)
		for ; n >= 0x80; n >>= 7 {
			out = append(out, byte(n)|0x80)
		}
		out = append(append(out, byte(n)), s...)
	}
	return out
}

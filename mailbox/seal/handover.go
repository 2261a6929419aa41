package seal

import "strconv"

// # New keys for an account
//
// An account gets a new Root when its old one may be known. Its credentials must
// follow, and only one of their secrets is at hand: each therefore has a key pair of
// its own, whose private half follows from its secret. The new Root is handed to the
// public half. What was wrapped under the old keys is of no help with it.
//
// The public half is kept sealed to the owner, so that nobody who can write to the
// store puts his own in its place.

// handedSize is the size of a Root as HandRoot seals it. A wrapped Root is smaller.
const handedSize = headerSize + hybridSize + len(Root{}) + tagSize

// PublicKey returns the public half of the credential's own key pair, to which
// HandRoot seals. It takes some 0.1 ms.
func (f *Factor) PublicKey() PublicKey { return f.privateKey().PublicKey() }

func (f *Factor) privateKey() PrivateKey {
	k, err := kem.DeriveKeyPair(f.pair[:])
	if err != nil {
		panic("restante: internal error: derive a credential's key pair: " + err.Error())
	}
	return PrivateKey{k}
}

// HandRoot seals a Root for a credential whose secret is not at hand, to its public
// key. The result takes the place of what WrapRoot returned: UnwrapRoot opens both.
func (p PublicKey) HandRoot(owner Owner, credential int64, root *Root) ([]byte, error) {
	c := handedAt(owner, credential)
	part, err := p.sealInfo(appendHeader(make([]byte, 0, handedSize), owner.Generation), c.bytes(), root[:])
	if err != nil {
		return nil, c.fail(err)
	}
	return part, nil
}

// openHanded opens what HandRoot sealed to the factor's public key.
func (f *Factor) openHanded(owner Owner, credential int64, part []byte) ([]byte, error) {
	c := handedAt(owner, credential)
	rest, err := checkHeader(c, part)
	if err != nil {
		return nil, err
	}
	b, err := f.privateKey().openInfo(c.bytes(), rest)
	if err != nil {
		return nil, c.fail(err)
	}
	return b, nil
}

func handedAt(owner Owner, credential int64) coordinate {
	return coordinate{kind: kindHanded, owner: owner, extra: strconv.FormatInt(credential, 10)}
}

package pgp

import (
	"errors"
	"fmt"
)

// grammar is the packetSink of the gate: it takes the packets of one encrypted message and nothing else,
//
//	(Marker | Padding)* ((PKESK | SKESK) (Marker | Padding)*)+ SEIPD Padding*
//
// where session keys and data are of one generation: versions 3 and 4 with SEIPDv1, 6 with SEIPDv2 (RFC 9580, 10.3.2.1).
// It keeps one session key at a time; the data only passes by chance.
type grammar struct {
	Verdict
	version  byte // of the data that the session keys so far are for: 1, 2, or 0 for none yet
	data     bool // the encrypted data has begun
	head     packetHead
	seen     uint64         // octets of the current body
	esk      []byte         // the current body, unless it is data or padding
	lead     [dataLead]byte // the first octets of the encrypted data
	entropy  chance
	complete bool // the encrypted data has ended
}

const (
	// maxSessionKey is over what any session key has: RSA with 16384 bits has 2,061 octets, ElGamal twice that.
	maxSessionKey = 4400
	// dataLead is the unencrypted head of SEIPDv2: version, cipher, mode, chunk size.
	dataLead = 4
	// firstPartial is the least first piece of a body whose length is told in pieces (RFC 9580, 4.2.1.4).
	firstPartial = 512
)

var (
	errNoData    = errors.New("there is no encrypted data in the armor")
	errPlainData = errors.New("the armor holds OpenPGP data that is not encrypted")
	errOrder     = errors.New("the packets of the message are in a wrong order, or there is something after them")
	errNoKeys    = errors.New("the encrypted data has no session key before it, so nobody could read it")
	errVersions  = errors.New("session keys and encrypted data are of different versions")
	errMarker    = errors.New("a marker packet has the wrong content")
	errPieces    = errors.New("a packet's length is told in pieces where that is not allowed")
	errData      = errors.New("the encrypted data has a malformed head, or is too short")
	errManyKeys  = fmt.Errorf("there are more than %d session keys", maxRecipients)
	errOldData   = errors.New("the data is encrypted in an outdated way that cannot detect changes; use newer software")
)

// begin checks that a packet may stand where it does.
func (g *grammar) begin(h packetHead) error {
	g.head, g.seen, g.esk = h, 0, g.esk[:0]
	if h.partial && (h.tag != tagSEIPD || h.size < firstPartial) {
		return errPieces
	}
	switch h.tag {
	case tagMarker, tagPKESK, tagSKESK:
		if g.data {
			return errOrder
		}
	case tagPadding:
	case tagSEIPD:
		return g.beginData()
	default:
		return unwanted(h.tag)
	}
	if h.tag != tagPadding && h.size > maxSessionKey {
		return errPKESK
	}
	return nil
}

// unwanted says what is wrong with a packet that no encrypted mail holds.
func unwanted(tag byte) error {
	switch tag {
	case 2, 4, 8, 11:
		return errPlainData
	case 9, tagLibrePG:
		return errOldData
	}
	return errOrder
}

func (g *grammar) beginData() error {
	switch {
	case g.data:
		return errOrder
	case g.Recipients+g.Passphrases == 0:
		return errNoKeys
	}
	g.data = true
	return g.entropy.flush() // the session keys are tested by themselves
}

// body takes a piece of the current packet.
func (g *grammar) body(b []byte) error {
	at := g.seen
	g.seen += uint64(len(b))
	switch g.head.tag {
	case tagSEIPD:
		if at < dataLead {
			n := copy(g.lead[at:], b)
			b = b[n:]
		}
		return g.entropy.write(b)
	case tagPadding:
		return g.entropy.write(b)
	}
	g.esk = append(g.esk, b...) // begin has checked the size
	return nil
}

// end checks a packet that is complete.
func (g *grammar) end() error {
	switch g.head.tag {
	case tagMarker:
		if string(g.esk) != "PGP" {
			return errMarker
		}
	case tagPKESK:
		k, err := parsePKESK(g.esk)
		if err != nil {
			return err
		}
		g.Recipients++
		return g.takeKey(k)
	case tagSKESK:
		k, err := parseSKESK(g.esk)
		if err != nil {
			return err
		}
		g.Passphrases++
		return g.takeKey(k)
	case tagPadding:
		return g.entropy.flush()
	case tagSEIPD:
		return g.endData()
	}
	return nil
}

// takeKey counts a session key and puts its secret fields to the test.
func (g *grammar) takeKey(k sessionKey) error {
	if g.Recipients+g.Passphrases > maxRecipients {
		return errManyKeys
	}
	version := byte(1)
	if k.version == 6 {
		version = 2
	}
	if g.version != 0 && g.version != version {
		return errVersions
	}
	g.version = version
	for _, b := range k.secret {
		if err := g.entropy.write(b); err != nil {
			return err
		}
	}
	return nil
}

// endData checks the head of the encrypted data (RFC 9580, 5.13). The least there can be after it is, in version 1, a
// prefix of 18 octets and a modification detection code of 22, in version 2 a salt of 32 octets and two tags of 16.
func (g *grammar) endData() error {
	g.complete = true
	if g.seen < dataLead {
		return errData
	}
	least := uint64(1 + 18 + 22)
	if g.lead[0] == 2 {
		least = 4 + 32 + 16 + 16
	}
	switch {
	case g.seen < least:
		return errData
	case g.lead[0] != 1 && g.lead[0] != 2:
		return errOldData
	case g.lead[0] != g.version:
		return errVersions
	case g.lead[0] == 2 && !aeadHead(g.lead):
		return errData
	}
	return g.entropy.flush()
}

// aeadHead checks cipher, mode and chunk size of SEIPDv2.
func aeadHead(lead [dataLead]byte) bool {
	_, mode := aeadNonce[lead[2]]
	return lead[1] >= 7 && lead[1] <= 13 && mode && lead[3] <= 16
}

// close reports whether the packets made up a message.
func (g *grammar) close() error {
	if !g.complete {
		return errNoData
	}
	return nil
}

package pgp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Packets of a message (RFC 9580, 5).
const (
	tagPKESK   = 1  // a session key, encrypted to a public key
	tagSKESK   = 3  // a session key, encrypted with a passphrase
	tagMarker  = 10 // to be ignored
	tagSEIPD   = 18 // the encrypted data
	tagLibrePG = 20 // the same in LibrePGP
)

const (
	maxEnvelope    = 1 << 20 // octets before the encrypted data: 256 recipients with the largest keys have half of it
	maxRecipients  = 256
	maxPassphrases = 8 // each is a costly derivation that the sender asks for
)

// envelope is what stands before the encrypted data.
type envelope struct {
	recipients  int
	anonymous   int
	passphrases int
	costly      bool // one of the passphrases is stretched: trying it takes time, or memory
}

// screen reads r up to the encrypted data, refuses what would cost too much to open, and returns a reader of the same
// octets.
func screen(r io.Reader, maxArgon2 int64) (io.Reader, envelope, error) {
	s := screener{maxArgon2: maxArgon2}
	scan := packetScanner{sink: &s}
	var read bytes.Buffer
	for !s.done && read.Len() < maxEnvelope {
		n, err := io.CopyN(&read, r, 1024)
		piece := read.Bytes()[read.Len()-int(n):]
		if _, err := scan.Write(piece); err != nil && !errors.Is(err, errScreened) {
			return nil, envelope{}, asNotMessage(err)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, envelope{}, fmt.Errorf("read message: %w", err)
		}
		if err != nil && !s.done {
			return nil, envelope{}, fmt.Errorf("%w: it ends before the encrypted data", ErrNotMessage)
		}
	}
	if !s.done {
		return nil, envelope{}, fmt.Errorf("%w: over %d bytes of session keys", ErrTooLarge, maxEnvelope)
	}
	return io.MultiReader(&read, r), s.envelope, nil
}

// asNotMessage wraps what the scanner itself found.
func asNotMessage(err error) error {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNotMessage) {
		return err
	}
	return fmt.Errorf("%w: %v", ErrNotMessage, err)
}

// errScreened ends the scan at the encrypted data.
var errScreened = errors.New("screened")

// screener is the packetSink of screen.
type screener struct {
	envelope
	maxArgon2 int64
	head      packetHead
	start     []byte // of the current body
	done      bool
}

// screenedStart is how much of a body the screener looks at.
const screenedStart = 64

func (s *screener) begin(h packetHead) error {
	s.head, s.start = h, s.start[:0]
	switch h.tag {
	case tagSEIPD, tagLibrePG:
		s.done = true
		return errScreened
	case tagPKESK:
		s.recipients++
	case tagSKESK:
		s.passphrases++
	case tagMarker, tagPadding:
	default:
		return fmt.Errorf("%w: packet %d stands before any encrypted data", ErrNotMessage, h.tag)
	}
	if s.recipients > maxRecipients || s.passphrases > maxPassphrases {
		return fmt.Errorf("%w: too many session keys", ErrTooLarge)
	}
	return nil
}

func (s *screener) body(b []byte) error {
	take := min(len(b), screenedStart-len(s.start))
	s.start = append(s.start, b[:take]...)
	return nil
}

func (s *screener) end() error {
	switch {
	case s.head.tag == tagPKESK && anonymous(s.start):
		s.anonymous++
	case s.head.tag == tagSKESK:
		if err := s.checkPassphrase(); err != nil {
			return fmt.Errorf("%w: %v", ErrTooLarge, err)
		}
	}
	return nil
}

// checkPassphrase looks at the derivation that a passphrase packet wants (RFC 9580, 5.3). Packets of other versions
// are skipped by the library.
func (s *screener) checkPassphrase() error {
	skip, known := map[byte]int{4: 2, 5: 3, 6: 5}[first(s.start)]
	if !known {
		return nil
	}
	spec, err := s2kSpecifier(s.start[min(skip, len(s.start)):])
	if err != nil {
		return err
	}
	s.costly = s.costly || spec[0] != s2kSimple && spec[0] != s2kSalted
	return checkS2K(spec, s.maxArgon2)
}

// anonymous reports whether a PKESK names no key: version 3 has the key ID zero, version 6 an empty fingerprint.
func anonymous(b []byte) bool {
	switch first(b) {
	case 3:
		return len(b) >= 9 && binary.BigEndian.Uint64(b[1:]) == 0
	case 6:
		return len(b) >= 2 && b[1] == 0
	}
	return false
}

func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

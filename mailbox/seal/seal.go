// Package seal is the format in which mail lies at rest and the keys that open
// it. It is pure: bytes go in and bytes come out; there is no SQL, no clock and
// no network in it. Randomness comes from crypto/rand.
//
// # Keys
//
// Each account has a Root, 32 random bytes that never reach a disk in clear.
// Every key of the account follows from it: the MLKEM768-X25519 pair to whose
// public half mail is sealed as it arrives, and the symmetric Keys that its
// owner's sessions work with. Credentials do not derive the Root, they wrap it:
//
//	secret or password --KDF--> Factor --AES-256-GCM--> Root
//
// so that a password change is one row, and one account has many credentials.
// A RelayKey does the same duty for what a relay must read while nobody is
// logged in: its address directory, its outbound queue and its push tokens.
//
// # Messages
//
// A Message names a blob of an account and holds its DEK, 64 random bytes that
// seal two things: the envelope data, small and read for every listing, and the
// body, streamed in chunks of 64 KiB. The DEK itself is kept in one of two
// ways. As mail arrives (stage 0) it is sealed to the account's PublicKey, for
// which no secret is needed. When the owner's session first meets the message,
// it wraps the DEK anew under the mailbox key in Keys (stage 1); this opens
// about a hundred times faster, and binds the message to its mailbox and UID.
//
// A page holds the DEKs and envelope data of a run of messages once more, under a key
// of its own, so that a listing opens many of them at once.
//
// # Format 1
//
// Every sealed part begins with the format's number (one byte, 1) and the
// generation of the account's Root (four bytes, big-endian). Then follows:
//
//	key, stage 0   HPKE base mode (RFC 9180), MLKEM768-X25519 (0x647a),
//	               HKDF-SHA256, AES-256-GCM: encapsulated key, sealed DEK
//	body           salt (16 bytes), chunks of 64 KiB under STREAM nonces
//	all others     nonce (12 bytes), AES-256-GCM ciphertext, tag
//
// The additional data of each part (for HPKE its info) is a coordinate that
// says which row of which account the part belongs to; it is built by
// coordinate.append and never stored. A part that was moved to another row,
// cut, lengthened or changed does not open: the error is ErrOpen, and no byte
// of it is returned. What this can't detect: a whole row moved before its
// owner's session bound it to its place, and a database that was set back as a
// whole to an earlier state.
//
// Sizes are blurred: bodies are padded to Padmé classes, envelope data to
// steps of 256 bytes, pages to steps of 1024, names and notes to steps of 64.
//
// # Wiping
//
// Root, DEK and Secret have Wipe methods. They shorten how long a key stands
// in memory and no more: Go's garbage collector and stack growth may have left
// copies, and the ciphers of the standard library keep expanded keys until
// they are collected.
package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The errors that callers tell apart. They arrive wrapped, with the kind and
// the coordinates of the part in question and nothing of its content.
var (
	// ErrOpen: the part does not open. The key is another one, the part
	// belongs to another row, or its bytes were changed.
	ErrOpen = errors.New("does not open: wrong key, wrong row or damaged bytes")

	// ErrVersion: the part was sealed in a format this program doesn't know.
	// It is never guessed at; a newer program may open it.
	ErrVersion = errors.New("unknown format version")

	// ErrSize: a body writer was given more or fewer bytes than announced.
	ErrSize = errors.New("content has another size than announced")

	// ErrKDF: a credential's stored parameters can't be used: unknown,
	// cut off or out of bounds.
	ErrKDF = errors.New("unusable key derivation parameters")
)

// format is the number of the one format there is.
const format = 1

// headerSize is the size of what every sealed part begins with.
const headerSize = 1 + 4

// appendHeader appends the beginning of a part of the given generation.
func appendHeader(b []byte, generation uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, format), generation)
}

// checkHeader returns what follows the header of part. The header must be of
// this format and of c's generation.
func checkHeader(c coordinate, part []byte) ([]byte, error) {
	if len(part) == 0 {
		return nil, c.fail(ErrOpen)
	}
	if part[0] != format {
		return nil, c.fail(ErrVersion)
	}
	if len(part) < headerSize || binary.BigEndian.Uint32(part[1:]) != c.owner.Generation {
		return nil, c.fail(ErrOpen)
	}
	return part[headerSize:], nil
}

// Generation reads which generation of the account's Root opens the part, so
// that a session can pick the Root. It is not authenticated: opening is what
// proves it.
func Generation(part []byte) (uint32, error) {
	if len(part) < headerSize {
		return 0, fmt.Errorf("seal: a part of %d bytes: %w", len(part), ErrOpen)
	}
	if part[0] != format {
		return 0, fmt.Errorf("seal: a part: %w", ErrVersion)
	}
	return binary.BigEndian.Uint32(part[1:]), nil
}

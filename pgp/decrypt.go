package pgp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// MaxPlaintext is the default limit on what a message may decrypt to.
const MaxPlaintext = 128 << 20

// Outcomes of decryption that callers tell apart.
var (
	// ErrNotMessage means that the bytes are no encrypted OpenPGP message.
	ErrNotMessage = errors.New("not an encrypted OpenPGP message")
	// ErrNoKey means that no key or passphrase at hand opens the message.
	ErrNoKey = errors.New("no key at hand opens the message")
	// ErrDamaged means that the message was altered or cut off since it was encrypted.
	ErrDamaged = errors.New("the message was damaged or altered on the way")
	// ErrTooLarge means that the message costs more memory or space than allowed.
	ErrTooLarge = errors.New("the message is larger than allowed")
)

// DecryptOptions say what a message may be opened with and what it may cost.
type DecryptOptions struct {
	Keys        []*Key   // tried in turn
	Passphrases [][]byte // tried in turn, after the keys
	// Generated says that the passphrases have at least 128 bits of chance and are many. They are tried only on a message
	// that opens with one passphrase and does not ask for a costly derivation: whoever writes one could ask for hours of it.
	Generated bool
	Certs     []*Cert // of those who may have signed the message; the keys' own need not be repeated

	MaxPlaintext int64 // 0 means the constant of that name
	MaxArgon2    int64 // 0 means the constant of that name

	Now func() time.Time // decides which signatures are valid; nil means the clock
}

// Decrypt reads one message from src, armored or binary, and writes what it says to dst. Until Decrypt returns without
// error nothing of that may be shown or acted on: only the last octet of a message proves the first. So dst is a spool
// that the caller discards on any error, and the Result, which says who signed, exists only in the end. Errors wrap one
// of ErrNotMessage, ErrNoKey, ErrDamaged and ErrTooLarge, or come from src or dst. A missing or bad signature is no
// error; see Result.
func Decrypt(dst io.Writer, src io.Reader, o DecryptOptions) (Result, error) {
	source := &errReader{r: src}
	result, err := decrypt(dst, source, o)
	if err != nil && source.err != nil {
		return Result{}, fmt.Errorf("read message: %w", source.err)
	}
	return result, err
}

func decrypt(dst io.Writer, src io.Reader, o DecryptOptions) (Result, error) {
	binary, err := openMessage(src)
	if err != nil {
		return Result{}, err
	}
	binary, envelope, err := screen(binary, orDefault(o.MaxArgon2, MaxArgon2))
	if err != nil {
		return Result{}, err
	}
	limit := orDefault(o.MaxPlaintext, MaxPlaintext)
	ring := keyring(o.Certs, o.Keys)
	if o.Generated && (envelope.costly || envelope.passphrases != 1) {
		o.Passphrases = nil
	}
	details, err := openpgp.ReadMessage(binary, ring, passphrases(o.Passphrases), readConfig(o.Now, limit))
	if err != nil {
		return Result{}, readError(err)
	}
	n, err := copyClear(dst, io.LimitReader(details.UnverifiedBody, limit+1))
	if err != nil {
		return Result{}, readError(err)
	}
	if n > limit {
		return Result{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return newResult(details, envelope), nil
}

// openMessage returns the packets that r holds.
func openMessage(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, armorReadAhead)
	first, err := b.Peek(1)
	if err != nil {
		return nil, fmt.Errorf("%w: there is nothing in it", ErrNotMessage)
	}
	if first[0]&0x80 != 0 {
		return b, nil
	}
	kind, data, err := openArmor(b)
	if err != nil || kind != openpgp.MessageType {
		return nil, ErrNotMessage
	}
	return data, nil
}

// readConfig returns the library settings for reading. The check of intended recipients is ours, in newResult: the
// library mixes its outcome with that of the signature.
func readConfig(now func() time.Time, limit int64) *packet.Config {
	cfg := config(now, nil)
	off := false
	cfg.CheckIntendedRecipients = &off
	withSignatures := limit + 1<<20 // so that Decrypt, whose error says more, finds it first
	cfg.MaxDecompressedMessageSize = &withSignatures
	return cfg
}

// keyring presents certificates and keys to the library.
func keyring(certs []*Cert, keys []*Key) openpgp.EntityList {
	list := make(openpgp.EntityList, 0, len(certs)+len(keys))
	for _, k := range keys {
		list = append(list, k.entity)
	}
	for _, c := range certs {
		list = append(list, c.entity)
	}
	return list
}

// passphrases returns a prompt that answers with each passphrase once.
func passphrases(list [][]byte) openpgp.PromptFunction {
	return func([]openpgp.Key, bool) ([]byte, error) {
		if len(list) == 0 {
			return nil, pgperrors.ErrKeyIncorrect
		}
		next := list[0]
		list = list[1:]
		return next, nil
	}
}

// readError says in our words what the library found. What goes wrong once a key fitted is one error, as it is there,
// so that nobody learns about the plaintext from which it was.
func readError(err error) error {
	var (
		inside      pgperrors.DecryptWithSessionKeyError
		structural  pgperrors.StructuralError
		unsupported pgperrors.UnsupportedError
		malformed   pgperrors.ErrMalformedMessage
	)
	switch {
	case errors.Is(err, pgperrors.ErrKeyIncorrect):
		return ErrNoKey
	case errors.Is(err, errArmorBroken):
		return err
	case errors.As(err, &inside), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrDamaged
	case errors.As(err, &malformed), errors.As(err, &structural), errors.As(err, &unsupported):
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return fmt.Errorf("decrypt: %w", err)
}

// errReader remembers why its reader stopped, which the library, reading ahead, does not tell.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

func orDefault(v, def int64) int64 {
	if v == 0 {
		return def
	}
	return v
}

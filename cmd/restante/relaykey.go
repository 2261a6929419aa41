package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/restante/restante/mailbox/seal"
)

// The relay key file is one line of text, so that it can be printed and typed:
// a word that says what it is, and the secret in base32.
const relayKeyPrefix = "restante-relay-key-1 "

var relayKeyEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

type relaySecret [seal.RelaySecretSize]byte

// loadRelaySecret reads the relay key. If the file is missing it is made, unless
// there is a store already: that has a key somewhere, and a new one would not
// open it.
func loadRelaySecret(file string, storeExists bool) (s relaySecret, made bool, err error) {
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := checkPrivate(file); err != nil {
			return s, false, err
		}
		s, err = parseRelaySecret(b)
		return s, false, err
	case !errors.Is(err, fs.ErrNotExist):
		return s, false, fmt.Errorf("relay key: %w", err)
	case storeExists:
		return s, false, fmt.Errorf("the store is here but its relay key is not: put your copy of it at %s (without it no address can be found)", file)
	}
	rand.Read(s[:])
	return s, true, writeRelaySecret(file, s)
}

// writeRelaySecret makes the file, durably, and never overwrites one.
func writeRelaySecret(file string, s relaySecret) error {
	if err := writeNewFile(file, relayKeyText(s)); err != nil {
		return fmt.Errorf("relay key: %w", err)
	}
	return nil
}

// relayKeyText is what the file holds.
func relayKeyText(s relaySecret) []byte {
	return fmt.Appendf(nil, "%s%s\n", relayKeyPrefix, relayKeyEncoding.EncodeToString(s[:]))
}

// mark is a word that fits this key alone, and does not tell it.
func (s relaySecret) mark() string {
	sum := sha256.Sum256(append([]byte("restante relay key mark\x00"), s[:]...))
	return hex.EncodeToString(sum[:8]) + "\n"
}

// writeNewFile makes a file that only we can read, durably, and never overwrites
// one.
func writeNewFile(file string, content []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(file)))
}

func parseRelaySecret(b []byte) (relaySecret, error) {
	text, ok := bytes.CutPrefix(bytes.TrimSpace(b), []byte(relayKeyPrefix))
	secret, err := relayKeyEncoding.DecodeString(string(text))
	if !ok || err != nil || len(secret) != seal.RelaySecretSize {
		return relaySecret{}, fmt.Errorf("relay key: the file holds no relay key (a line that begins with %q): put your copy of it back", relayKeyPrefix)
	}
	return relaySecret(secret), nil
}

// checkPrivate refuses a key that others can read, as ssh does.
func checkPrivate(file string) error {
	if runtime.GOOS == "windows" {
		return nil // modes say nothing there
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("relay key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("relay key: others can read %s: chmod 600 it", file)
	}
	return nil
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // can't be done, nor is it needed, there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

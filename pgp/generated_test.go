package pgp

import (
	"bytes"
	"errors"
	"testing"
)

// TestGeneratedPassphrases: many passphrases are tried where that costs nothing, and
// not where the writer of the message says what it costs.
func TestGeneratedPassphrases(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of an invitation")
	tests := []struct {
		name   string
		sealed []byte
		want   error
	}{
		{"cheap", encryptText(t, "hello", nil, nil, EncryptOptions{Passphrase: secret, Generated: true, Binary: true}), nil},
		{"costly", encryptText(t, "hello", nil, nil, EncryptOptions{Passphrase: secret, Binary: true}), ErrNoKey},
		{"several", append(skeskOf(t, secret), encryptText(t, "hello", nil, nil, EncryptOptions{Passphrase: secret, Generated: true, Binary: true})...), ErrNoKey},
	}
	many := [][]byte{}
	for i := range 128 {
		many = append(many, []byte{byte(i), 'x'})
	}
	many = append(many, secret)
	for _, tt := range tests {
		text, result, err := decryptText(tt.sealed, DecryptOptions{Passphrases: many, Generated: true})
		if !errors.Is(err, tt.want) || tt.want == nil && (text != "hello" || result.OpenedBy != "") {
			t.Errorf("%s: got %q, %v, want %v", tt.name, text, err, tt.want)
		}
	}
}

// skeskOf returns the packet with which a message begins that a passphrase opens.
func skeskOf(t *testing.T, secret []byte) []byte {
	t.Helper()
	sealed := encryptText(t, "other", nil, nil, EncryptOptions{Passphrase: secret, Generated: true, Binary: true})
	if len(sealed) < 2 || sealed[0] != 0xc0|tagSKESK || sealed[1] >= 192 {
		t.Fatalf("the message begins with % x", sealed[:2])
	}
	return bytes.Clone(sealed[:2+int(sealed[1])])
}

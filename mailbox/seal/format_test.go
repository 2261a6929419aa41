package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
)

// The tests of this file open the vectors a second time, with the standard
// library and the text of the package comment only: they hold the documented
// format and the code together.

// The header and the coordinate fields of the fixed world.
const (
	hexHeader  = "01" + "00000003"
	hexStore   = "101112131415161718191a1b1c1d1e1f"
	hexAccount = "1122334455667788"
	hexBlob    = "202122232425262728292a2b2c2d2e2f"
	hexGen     = "00000003"
	hexPlace   = "0000000000000004" + "000003e8"
	hexNowhere = "0000000000000000" + "00000000"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	return must[[]byte](t)(hex.DecodeString(s))
}

func hkdfKey(t *testing.T, secret, salt []byte, label string) []byte {
	t.Helper()
	return must[[]byte](t)(hkdf.Key(sha256.New, secret, salt, "restante/seal/1 "+label, 32))
}

// openByHand opens a box: header, nonce, ciphertext.
func openByHand(t *testing.T, key []byte, aad string, box []byte) []byte {
	t.Helper()
	gcm := must[cipher.AEAD](t)(cipher.NewGCM(must[cipher.Block](t)(aes.NewCipher(key))))
	if got := hex.EncodeToString(box[:5]); got != hexHeader {
		t.Errorf("got header %s, want %s", got, hexHeader)
	}
	return must[[]byte](t)(gcm.Open(nil, box[5:17], box[17:], unhex(t, aad)))
}

func TestFormatOfMessages(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	root := sequence(0x40)
	coordinate := hexStore + hexAccount + hexBlob + hexGen

	kem := hpke.MLKEM768X25519()
	private := must[hpke.PrivateKey](t)(kem.DeriveKeyPair(hkdfKey(t, root[:], nil, "kem")))
	key0 := unhex(t, v.Sealed["key 0"])
	dek := must[[]byte](t)(hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(),
		unhex(t, "0101"+coordinate+hexNowhere), key0[5:]))
	if got, want := hex.EncodeToString(dek), v.Content["key 0"]; got != want {
		t.Errorf("stage 0: got DEK %s, want %s", got, want)
	}

	mailbox := hkdfKey(t, root[:], nil, "mailbox")
	if got := openByHand(t, mailbox, "0102"+coordinate+hexPlace, unhex(t, v.Sealed["key 1"])); !bytes.Equal(got, dek) {
		t.Errorf("stage 1: got DEK %x, want %x", got, dek)
	}
	for name, aad := range map[string]string{
		"envelope 0": "0103" + coordinate + hexNowhere,
		"envelope 1": "0104" + coordinate + hexPlace,
	} {
		got := openByHand(t, dek[:32], aad, unhex(t, v.Sealed[name]))
		want := append([]byte{0, 0, 0, 13}, "envelope data"...)
		want = append(want, make([]byte, 256-len(want))...)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestFormatOfBodies opens a body of two chunks, and the one of the vectors.
func TestFormatOfBodies(t *testing.T) {
	t.Parallel()
	w := fixedWorld(t)
	vector := unhex(t, readVectors(t).Sealed["body"])
	long := content(ChunkSize + 500)
	tests := map[string]struct{ sealed, want []byte }{
		"one chunk":  {vector, append(content(700), make([]byte, 4)...)},
		"two chunks": {sealBody(t, &w.message, long), append(long, make([]byte, 67584-len(long))...)},
	}
	for name, tt := range tests {
		if got := openBodyByHand(t, w.message.DEK[32:], tt.sealed); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: got other content, %d bytes, want %d", name, len(got), len(tt.want))
		}
	}
}

func openBodyByHand(t *testing.T, key, sealed []byte) []byte {
	t.Helper()
	aad := unhex(t, "0105"+hexStore+hexAccount+hexBlob+hexGen+hexNowhere)
	in := bytes.NewReader(sealed[5+16:])
	gcm := must[cipher.AEAD](t)(cipher.NewGCM(must[cipher.Block](t)(
		aes.NewCipher(hkdfKey(t, key, sealed[5:21], "body")))))
	var out []byte
	for i := byte(0); in.Len() > 0; i++ {
		chunk := must[[]byte](t)(io.ReadAll(io.LimitReader(in, 64<<10+16)))
		nonce := make([]byte, 12)
		nonce[10] = i
		if in.Len() == 0 {
			nonce[11] = 1
		}
		out = must[[]byte](t)(gcm.Open(out, nonce, chunk, aad))
	}
	return out
}

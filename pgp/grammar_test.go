package pgp

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// newPacket returns a packet in the new format with a length of five octets, which fits every body.
func newPacket(tag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xC0 | tag, 0xFF}, uint32(len(body))), body...)
}

// dataPacket returns encrypted data of a version whose ciphertext is body.
func dataPacket(version byte, body string) []byte {
	if version == 2 {
		return newPacket(tagSEIPD, append([]byte{2, 9, 2, 10}, body...))
	}
	return newPacket(tagSEIPD, append([]byte{version}, body...))
}

// partialData returns encrypted data of version 1 in a piece of 2^exponent octets and one of 100.
func partialData(exponent int) []byte {
	body := append([]byte{1}, noise(1<<exponent+99)...)
	return slices.Concat([]byte{0xC0 | tagSEIPD, 0xE0 | byte(exponent)}, body[:1<<exponent], []byte{100}, body[1<<exponent:])
}

// manyKeys returns n different session keys.
func manyKeys(n int) []byte {
	var b []byte
	for chance := noise(n * 88); len(chance) > 0; chance = chance[88:] {
		b = append(b, newPacket(tagPKESK, bodyOf(3, chance[:8], 18, 1, 7, 0x40, chance[8:40], 48, chance[40:88]))...)
	}
	return b
}

// bodyOf builds packet bodies from octets, byte slices and strings.
func bodyOf(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case []byte:
			b = append(b, p...)
		case string:
			b = append(b, p...)
		}
	}
	return b
}

var (
	keyID  = []byte{0x9C, 1, 0x88, 3, 0xE4, 5, 0xF6, 7}
	point  = bodyOf(1, 7, 0x40, noise(32))       // of 263 bits
	p256   = bodyOf(2, 3, 4, noise(64))          // of 515 bits
	wrap48 = bodyOf(48, noise(48))               // a wrapped session key with its length
	rsa    = bodyOf(4, 0, 0x80, noise(127))      // of 1024 bits
	ecdh3  = bodyOf(3, keyID, 18, point, wrap48) // to Curve25519
	ecdh6  = bodyOf(6, 21, 4, noise(20), 18, point, wrap48)
	salt8  = noise(8)
	data1  = dataPacket(1, string(noise(300)))
	data2  = dataPacket(2, string(noise(300)))
)

func skesk6Body(spec []byte, mode, nonce, key int) []byte {
	return bodyOf(6, 3+len(spec)+nonce, 9, mode, len(spec), spec, noise(nonce), noise(key))
}

// TestSessionKeys checks single session keys, each before data that fits it.
func TestSessionKeys(t *testing.T) {
	t.Parallel()
	argon := bodyOf(4, noise(16), 3, 4, 16)
	iterated := bodyOf(3, 8, salt8, 0xFF)
	tests := []struct {
		name string
		tag  byte
		body []byte
		ok   bool
	}{
		{"ECDH, Curve25519", tagPKESK, ecdh3, true},
		{"ECDH, anonymous", tagPKESK, bodyOf(3, make([]byte, 8), 18, point, wrap48), true},
		{"ECDH, P-256", tagPKESK, bodyOf(3, keyID, 18, p256, 40, noise(40)), true},
		{"ECDH, version 6", tagPKESK, ecdh6, true},
		{"ECDH, version 6 for a version 6 key", tagPKESK, bodyOf(6, 33, 6, noise(32), 18, point, 32, noise(32)), true},
		{"ECDH, version 6, anonymous", tagPKESK, bodyOf(6, 0, 18, point, wrap48), true},
		{"RSA", tagPKESK, bodyOf(3, keyID, 1, rsa), true},
		{"RSA, version 6", tagPKESK, bodyOf(6, 21, 4, noise(20), 1, rsa), true},
		{"RSA, encrypt only", tagPKESK, bodyOf(3, keyID, 2, rsa), true},
		{"ElGamal", tagPKESK, bodyOf(3, keyID, 16, rsa, rsa), true},
		{"X25519", tagPKESK, bodyOf(3, keyID, 25, noise(32), 41, 9, noise(40)), true},
		{"X25519, version 6", tagPKESK, bodyOf(6, 0, 25, noise(32), 40, noise(40)), true},
		{"X448", tagPKESK, bodyOf(6, 0, 26, noise(56), 24, noise(24)), true},
		{"ML-KEM-768", tagPKESK, bodyOf(6, 0, 35, noise(32+1088), 40, noise(40)), true},
		{"ML-KEM-768, version 3", tagPKESK, bodyOf(3, keyID, 35, noise(32+1088), 41, 9, noise(40)), true},
		{"ML-KEM-1024", tagPKESK, bodyOf(6, 0, 36, noise(56+1568), 40, noise(40)), true},
		{"passphrase, version 4", tagSKESK, bodyOf(4, 9, iterated), true},
		{"passphrase, version 4, with a key", tagSKESK, bodyOf(4, 9, iterated, noise(33)), true},
		{"passphrase, version 4, salted", tagSKESK, bodyOf(4, 7, 1, 8, salt8), true},
		{"passphrase, version 6, OCB", tagSKESK, skesk6Body(argon, 2, 15, 48), true},
		{"passphrase, version 6, GCM", tagSKESK, skesk6Body(iterated, 3, 12, 32), true},
		{"passphrase, version 6, EAX", tagSKESK, skesk6Body(bodyOf(1, 8, salt8), 1, 16, 48), true},

		{"nothing", tagPKESK, nil, false},
		{"version 2", tagPKESK, bodyOf(2, keyID, 1, rsa), false},
		{"octets behind it", tagPKESK, bodyOf(ecdh3, 0), false},
		{"an octet missing", tagPKESK, ecdh3[:len(ecdh3)-1], false},
		{"a signing algorithm", tagPKESK, bodyOf(3, keyID, 22, point, wrap48), false},
		{"RSA that only signs", tagPKESK, bodyOf(3, keyID, 3, rsa), false},
		{"an unknown algorithm", tagPKESK, bodyOf(3, keyID, 99, rsa), false},
		{"no bits", tagPKESK, bodyOf(3, keyID, 1, 0, 0), false},
		{"too few bits said", tagPKESK, bodyOf(3, keyID, 1, 3, 0xF9, 0x80, noise(127)), false},
		{"leading zero", tagPKESK, bodyOf(3, keyID, 1, 4, 0, 0, noise(127)), false},
		{"too many bits", tagPKESK, bodyOf(3, keyID, 1, 0x40, 8, 0x80, noise(2048)), false},
		{"ElGamal, version 6", tagPKESK, bodyOf(6, 0, 16, rsa, rsa), false},
		{"a point of odd size", tagPKESK, bodyOf(3, keyID, 18, 0, 0xFF, 0x40, noise(31), wrap48), false},
		{"a point of unknown form", tagPKESK, bodyOf(3, keyID, 18, 1, 2, 2, noise(32), wrap48), false},
		{"a wrapped key of odd size", tagPKESK, bodyOf(3, keyID, 18, point, 47, noise(47)), false},
		{"a long wrapped key", tagPKESK, bodyOf(3, keyID, 18, point, 56, noise(56)), false},
		{"X25519 without cipher", tagPKESK, bodyOf(3, keyID, 25, noise(32), 40, noise(40)), false},
		{"X25519 for an old cipher", tagPKESK, bodyOf(3, keyID, 25, noise(32), 41, 2, noise(40)), false},
		{"fingerprint of wrong size", tagPKESK, bodyOf(6, 20, 4, noise(19), 18, point, wrap48), false},
		{"fingerprint of version 5", tagPKESK, bodyOf(6, 33, 5, noise(32), 18, point, wrap48), false},
		{"passphrase, version 5", tagSKESK, bodyOf(5, 9, 2, iterated, noise(15), noise(48)), false},
		{"passphrase without salt", tagSKESK, bodyOf(4, 9, 0, 8), false},
		{"passphrase on a card", tagSKESK, bodyOf(4, 9, 101, 0, "GNU", 1), false},
		{"passphrase for an old cipher", tagSKESK, bodyOf(4, 3, iterated), false},
		{"passphrase with a key of odd size", tagSKESK, bodyOf(4, 9, iterated, noise(32)), false},
		{"version 6, wrong count", tagSKESK, bodyOf(6, 30, 9, 2, len(argon), argon, noise(15), noise(48)), false},
		{"version 6, wrong specifier size", tagSKESK, bodyOf(6, 38, 9, 2, 19, argon, noise(15), noise(48)), false},
		{"version 6, unknown mode", tagSKESK, skesk6Body(argon, 4, 15, 48), false},
		{"version 6, short key", tagSKESK, skesk6Body(argon, 2, 15, 31), false},
		{"version 6, no key", tagSKESK, skesk6Body(argon, 2, 15, 0), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := data1
			if len(tt.body) > 0 && tt.body[0] == 6 {
				data = data2
			}
			err := checkPackets(newPacket(tt.tag, tt.body), data)
			if (err == nil) != tt.ok {
				t.Errorf("got %v, want it to pass: %v", err, tt.ok)
			}
		})
	}
}

// checkPackets runs packets through the grammar.
func checkPackets(packets ...[]byte) error {
	var g grammar
	s := packetScanner{sink: &g}
	if _, err := s.Write(slices.Concat(packets...)); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return g.close()
}

func TestPacketGrammar(t *testing.T) {
	t.Parallel()
	key1, key2 := newPacket(tagPKESK, ecdh3), newPacket(tagPKESK, ecdh6)
	marker, padding := newPacket(tagMarker, []byte("PGP")), newPacket(tagPadding, noise(100))
	skesk := newPacket(tagSKESK, bodyOf(4, 9, 3, 8, salt8, 0xFF))
	tests := []struct {
		name    string
		packets [][]byte
		want    error
	}{
		{"least, old", [][]byte{key1, data1}, nil},
		{"least, new", [][]byte{key2, data2}, nil},
		{"everything allowed", [][]byte{marker, padding, key1, marker, skesk, padding, key1, data1, padding, padding}, nil},
		{"old format", [][]byte{bodyOf(0x84, len(ecdh3), ecdh3), data1}, nil},
		{"pieces", [][]byte{key1, partialData(9)}, nil},
		{"256 keys", [][]byte{manyKeys(256), data1}, nil},

		{"nothing", nil, errNoData},
		{"only keys", [][]byte{key1}, errNoData},
		{"only data", [][]byte{data1}, errNoKeys},
		{"only padding before data", [][]byte{padding, data1}, errNoKeys},
		{"data twice", [][]byte{key1, data1, data1}, errOrder},
		{"key after data", [][]byte{key1, data1, key1}, errOrder},
		{"passphrase after data", [][]byte{key1, data1, skesk}, errOrder},
		{"marker after data", [][]byte{key1, data1, marker}, errOrder},
		{"257 keys", [][]byte{manyKeys(257), data1}, errManyKeys},
		{"old key, new data", [][]byte{key1, data2}, errVersions},
		{"new key, old data", [][]byte{key2, data1}, errVersions},
		{"keys of both kinds", [][]byte{key1, key2, data2}, errVersions},
		{"literal data", [][]byte{newPacket(11, noise(100))}, errPlainData},
		{"signed", [][]byte{newPacket(4, noise(13)), newPacket(11, noise(100))}, errPlainData},
		{"compressed", [][]byte{newPacket(8, noise(100))}, errPlainData},
		{"literal data after encrypted", [][]byte{key1, data1, newPacket(11, noise(100))}, errPlainData},
		{"without integrity", [][]byte{key1, newPacket(9, noise(300))}, errOldData},
		{"LibrePGP", [][]byte{key1, newPacket(20, noise(300))}, errOldData},
		{"data of version 3", [][]byte{key1, dataPacket(3, string(noise(300)))}, errOldData},
		{"a certificate", [][]byte{newPacket(6, noise(50))}, errOrder},
		{"a private packet", [][]byte{key1, newPacket(60, noise(50)), data1}, errOrder},
		{"marker with text", [][]byte{newPacket(tagMarker, []byte("hello")), key1, data1}, errMarker},
		{"small first piece", [][]byte{key1, partialData(8)}, errPieces},
		{"key in pieces", [][]byte{{0xC1, 0xE9}, noise(512), {0}, data1}, errPieces},
		{"key that is too long", [][]byte{newPacket(tagPKESK, noise(5000)), data1}, errPKESK},
		{"short data, old", [][]byte{key1, dataPacket(1, string(noise(39)))}, errData},
		{"short data, new", [][]byte{key2, dataPacket(2, string(noise(63)))}, errData},
		{"shortest data", [][]byte{key1, newPacket(tagSEIPD, []byte{1})}, errData},
		{"old cipher", [][]byte{key2, newPacket(tagSEIPD, bodyOf(2, 2, 2, 10, noise(300)))}, errData},
		{"unknown mode", [][]byte{key2, newPacket(tagSEIPD, bodyOf(2, 9, 4, 10, noise(300)))}, errData},
		{"huge chunks", [][]byte{key2, newPacket(tagSEIPD, bodyOf(2, 9, 2, 17, noise(300)))}, errData},
		{"text as padding", [][]byte{key1, data1, newPacket(tagPadding, []byte(strings.Repeat("hello ", 20)))}, errNotChance},
		{"text as padding before", [][]byte{newPacket(tagPadding, []byte(strings.Repeat("hello ", 20))), key1, data1}, errNotChance},
		{"text as data", [][]byte{key1, dataPacket(1, strings.Repeat("hello ", 20))}, errNotChance},
		{"text as salt and key", [][]byte{newPacket(tagSKESK, bodyOf(4, 9, 4, "sixteen letters!", 3, 4, 16, "a sentence that is no session key")), data1}, errNotChance},
		{"text as key names", [][]byte{textNames(), data1}, errNotChance},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := checkPackets(tt.packets...); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// textNames returns session keys whose key IDs spell a text.
func textNames() []byte {
	var b []byte
	for id := range slices.Chunk([]byte(strings.Repeat("meet me at noon behind the mill ", 16)), 8) {
		b = append(b, newPacket(tagPKESK, bodyOf(3, id, 18, point, wrap48))...)
	}
	return b
}

// TestSealedPackets holds our own writer to the grammar, for all kinds of recipients.
func TestSealedPackets(t *testing.T) {
	t.Parallel()
	hybrid, classic, old := newTestKey(t, "a@example.org", Hybrid).Cert(), newTestKey(t, "b@example.org", Classic).Cert(), oldKey(t, "c@example.org").Cert()
	for _, to := range [][]*Cert{{hybrid}, {classic}, {old}, {hybrid, classic}, {hybrid, old}} {
		for _, o := range []EncryptOptions{{}, {Anonymous: true}, {PostQuantumOnly: true}, {Passphrase: []byte("x"), Generated: true}} {
			o.Binary = true
			message := encryptText(t, "hello", nil, to, o)
			if err := checkPackets(message); err != nil {
				t.Errorf("%+v: %v\n%s", o, err, hex.Dump(message[:min(len(message), 200)]))
			}
		}
	}
}

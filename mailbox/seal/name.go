package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// NameMAC stands for a mailbox name or a keyword in the store. Equal names of
// one account have equal MACs; MACs of two accounts can't be compared, and no
// name can be tried against one without the account's keys. Half of
// HMAC-SHA256 is plenty for the few thousand names of an account.
type NameMAC [16]byte

// nameStep is the step to which names are padded.
const nameStep = 64

// nameKeys are the two keys of one sort of names.
type nameKeys struct {
	kind kind
	mac  []byte
	box  cipher.AEAD
}

func newNameKeys(d deriver, label string, k kind) nameKeys {
	return nameKeys{
		kind: k,
		mac:  d.key(label + " mac"),
		box:  newBoxCipher(d.key(label + " box")),
	}
}

func (n *nameKeys) sum(name string) NameMAC {
	m := hmac.New(sha256.New, n.mac)
	m.Write([]byte(name))
	return NameMAC(m.Sum(nil))
}

// at returns the coordinate of a sealed name: it is bound to its MAC, so that
// the two columns of a row can't be mixed.
func (n *nameKeys) at(owner Owner, mac NameMAC) coordinate {
	return coordinate{kind: n.kind, owner: owner, extra: string(mac[:])}
}

func (n *nameKeys) seal(owner Owner, mac NameMAC, name string) []byte {
	return sealPadded(n.box, n.at(owner, mac), nameStep, []byte(name))
}

func (n *nameKeys) open(owner Owner, mac NameMAC, part []byte) (string, error) {
	name, err := openPadded(n.box, n.at(owner, mac), nameStep, part)
	return string(name), err
}

// NameMAC returns what stands for a mailbox name. The name must be in the one
// form that the account's names have: MACs know nothing of case.
func (k *Keys) NameMAC(name string) NameMAC { return k.names.sum(name) }

// SealName seals a mailbox name, to be kept beside its NameMAC.
func (k *Keys) SealName(name string) []byte { return k.names.seal(k.owner, k.NameMAC(name), name) }

// OpenName opens a mailbox name that is kept beside mac. Errors: ErrOpen,
// ErrVersion.
func (k *Keys) OpenName(mac NameMAC, part []byte) (string, error) {
	return k.names.open(k.owner, mac, part)
}

// KeywordMAC returns what stands for a keyword. Keywords are told apart without
// regard to case, so the word is given in the one form that all its spellings have.
func (k *Keys) KeywordMAC(word string) NameMAC { return k.words.sum(word) }

// SealKeyword seals one spelling of a keyword, to be kept beside mac, the keyword's
// KeywordMAC.
func (k *Keys) SealKeyword(mac NameMAC, word string) []byte { return k.words.seal(k.owner, mac, word) }

// OpenKeyword opens a keyword that is kept beside mac. Errors: ErrOpen,
// ErrVersion.
func (k *Keys) OpenKeyword(mac NameMAC, part []byte) (string, error) {
	return k.words.open(k.owner, mac, part)
}

// EntryMAC returns what stands for the name of a METADATA entry, in the one form
// that all its spellings have. The same name at two mailboxes has two MACs.
func (k *Keys) EntryMAC(mailbox int64, name string) NameMAC {
	return NameMAC(mac(k.entries, binary.BigEndian.AppendUint64(nil, uint64(mailbox)), []byte(name)))
}

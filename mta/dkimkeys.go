package mta

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DKIMKeys are the keys with which the relay signs what leaves it (RFC 6376, RFC
// 8463): an RSA key that everybody can verify, and an Ed25519 key for those who
// can. They are files in one folder, named for their selectors, which begin with r
// or e and go on with the day on which they were made. The newest of each kind
// signs; older ones are still published, for mail that is on its way.
type DKIMKeys struct {
	signing []dkimKey // at most one of each kind
	all     []dkimKey
}

// A dkimKey is one key with its selector.
type dkimKey struct {
	selector string
	signer   crypto.Signer
}

const rsaBits = 2048

// OpenDKIMKeys reads the keys in a folder, which only this user may read, and makes
// a pair if there is none.
func OpenDKIMKeys(dir string, now time.Time) (*DKIMKeys, error) {
	keys, err := readDKIMKeys(dir)
	if err != nil {
		return nil, fmt.Errorf("open DKIM keys: %w", err)
	}
	if len(keys.all) > 0 {
		return keys, nil
	}
	return RotateDKIMKeys(dir, now)
}

// RotateDKIMKeys makes a new pair and returns it with the others. A relay that runs
// goes on with the keys that it has opened: the new records can be published before
// it is started again.
func RotateDKIMKeys(dir string, now time.Time) (*DKIMKeys, error) {
	if err := makeDKIMKeys(dir, now.UTC().Format("20060102150405")); err != nil {
		return nil, fmt.Errorf("make DKIM keys: %w", err)
	}
	keys, err := readDKIMKeys(dir)
	if err != nil {
		return nil, fmt.Errorf("open DKIM keys: %w", err)
	}
	return keys, nil
}

func makeDKIMKeys(dir, day string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	r, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return err
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	return errors.Join(writeDKIMKey(dir, "r"+day, r), writeDKIMKey(dir, "e"+day, e))
}

func writeDKIMKey(dir, selector string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, selector+".pem"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return errors.Join(err, f.Sync(), f.Close())
}

func readDKIMKeys(dir string) (*DKIMKeys, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	keys := &DKIMKeys{}
	newest := map[string]dkimKey{}
	for _, e := range entries { // in order of name, and so of age
		selector, ok := strings.CutSuffix(e.Name(), ".pem")
		if !ok {
			continue
		}
		signer, err := readDKIMKey(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		k := dkimKey{selector, signer}
		keys.all = append(keys.all, k)
		newest[k.algorithm()] = k
	}
	for _, algorithm := range []string{"ed25519-sha256", "rsa-sha256"} {
		if k, ok := newest[algorithm]; ok {
			keys.signing = append(keys.signing, k)
		}
	}
	return keys, nil
}

func readDKIMKey(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is no PEM file")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errors.New("it is neither an RSA nor an Ed25519 key")
}

func (k dkimKey) algorithm() string {
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return "ed25519-sha256"
	}
	return "rsa-sha256"
}

// Selectors returns the selectors of the keys that sign.
func (k *DKIMKeys) Selectors() []string {
	var names []string
	for _, key := range k.signing {
		names = append(names, key.selector)
	}
	return names
}

// A DKIMRecord is a TXT record to publish under each of the relay's domains.
type DKIMRecord struct {
	Name  string // relative to the domain
	Value string
}

// Records returns the records of all keys, old ones too.
func (k *DKIMKeys) Records() ([]DKIMRecord, error) {
	var records []DKIMRecord
	for _, key := range k.all {
		public, kind, err := key.public()
		if err != nil {
			return nil, fmt.Errorf("DKIM key %s: %w", key.selector, err)
		}
		value := fmt.Sprintf("v=DKIM1; k=%s; p=%s", kind, base64.StdEncoding.EncodeToString(public))
		records = append(records, DKIMRecord{key.selector + "._domainkey", value})
	}
	slices.SortFunc(records, func(a, b DKIMRecord) int { return strings.Compare(a.Name, b.Name) })
	return records, nil
}

// public returns the key as a record has it (RFC 6376, 3.6.1; RFC 8463, 4.2).
func (k dkimKey) public() (key []byte, kind string, err error) {
	if e, ok := k.signer.(ed25519.PrivateKey); ok {
		return e.Public().(ed25519.PublicKey), "ed25519", nil
	}
	key, err = x509.MarshalPKIXPublicKey(k.signer.Public())
	return key, "rsa", err
}

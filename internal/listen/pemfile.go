package listen

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files keeps the files of a local authority somewhere else than in a folder, such as
// sealed. There are four of them, of a few kilobytes.
type Files interface {
	// Read returns what Write kept. The error is fs.ErrNotExist if that is nothing.
	Read(name string) ([]byte, error)
	// Write keeps data in place of what was there. It is durable when Write returns nil;
	// after an error the old content is still whole.
	Write(name string, data []byte) error
}

// folder keeps them as files for the owner alone.
type folder string

var _ Files = folder("")

func (f folder) Read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(string(f), name)) }

func (f folder) Write(name string, data []byte) error {
	return writeFile(filepath.Join(string(f), name), data)
}

// openKey reads a private key, or makes one and writes it.
func openKey(files Files, file string) (crypto.Signer, error) {
	der, err := readPEM(files, file, "PRIVATE KEY")
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(files, file)
	}
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of another kind than ECDSA; restore it from a backup", file)
	}
	return signer, nil
}

func makeKey(files Files, file string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, files.Write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// readCert reads the first certificate of a file.
func readCert(files Files, file string) (*x509.Certificate, error) {
	der, err := readPEM(files, file, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cert, nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// readPEM returns the first block of a PEM file, which must be of this type.
func readPEM(files Files, name, kind string) ([]byte, error) {
	data, err := files.Read(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no PEM block %q; restore it from a backup", name, kind)
	}
	return block.Bytes, nil
}

// writeFile writes a file for the owner alone so that after a crash the old
// content or the new is there, whole.
func writeFile(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // no file of this name any more after success
	if _, err := tmp.Write(data); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Sync(); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// syncDir makes the names in a folder durable.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

package main

import (
	"archive/tar"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/restante/restante/internal/config"
)

// The secrets of a relay lie beside its store: the relay key, the authority of its
// certificates, DKIM keys. A backup has them as one archive that is encrypted with
// age, to a passphrase or to recipients, since a backup with the relay key in clear
// would show all addresses to whoever finds it.
//
// The archive's name is a MAC of its content under the relay key, so that a backup
// sees without opening it whether anything has changed.
const (
	keysPrefix = "keys-"
	keysSuffix = ".age"

	// keyFileLimit and keyFilesLimit bound what is taken for a secret.
	keyFileLimit  = 1 << 20
	keyFilesLimit = 200

	relayKeyEntry = "relay.key" // in the archive, wherever it lies
)

// keyFile is a file of the archive, by its path in the data folder.
type keyFile struct {
	name    string
	content []byte
}

// keyFiles reads what a relay needs besides its store: the relay key, and the files
// in the folders of the data folder that are not the store's.
func keyFiles(cfg *config.Config, secret relaySecret) ([]keyFile, error) {
	all := []keyFile{{relayKeyEntry, relayKeyText(secret)}}
	_, store, err := cfg.StoreTarget()
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(cfg.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(cfg.DataDir, path)
		switch {
		case err != nil:
			return err
		case e.IsDir() && (strings.HasPrefix(path, store) || isBackup(path)):
			return fs.SkipDir
		case e.IsDir() || filepath.Dir(rel) == "." || !e.Type().IsRegular():
			return nil
		}
		f, err := readKeyFile(path, rel)
		if err == nil {
			all = append(all, f)
		}
		return err
	})
	if err == nil && len(all) > keyFilesLimit {
		err = fmt.Errorf("there are more than %d files in the folders of %s: a backup takes keys from there, move the others elsewhere", keyFilesLimit, cfg.DataDir)
	}
	return all, err
}

// isBackup reports whether a folder is a backup's.
func isBackup(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, keysPrefix+"*"+keysSuffix))
	return err == nil && len(found) > 0
}

func readKeyFile(path, name string) (keyFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return keyFile{}, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, keyFileLimit+1))
	if err == nil && len(content) > keyFileLimit {
		err = fmt.Errorf("%s is too large for a key: a backup takes keys from the folders of the data folder, move it elsewhere", path)
	}
	return keyFile{filepath.ToSlash(name), content}, err
}

// packKeys makes an archive that is the same for the same files.
func packKeys(files []keyFile) ([]byte, error) {
	slices.SortFunc(files, func(a, b keyFile) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.content)), Mode: 0o600, Format: tar.FormatPAX}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// unpackKeys reads an archive. A name that leads out of the data folder is refused.
func unpackKeys(archive io.Reader) ([]keyFile, error) {
	r := tar.NewReader(archive)
	var files []keyFile
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)) || h.Size > keyFileLimit || len(files) == keyFilesLimit {
			return nil, errors.New("keys: the archive is not one that a backup makes")
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		files = append(files, keyFile{h.Name, content})
	}
}

// archiveName returns the name under which a backup has an archive.
func archiveName(secret relaySecret, archive []byte) string {
	m := hmac.New(sha256.New, secret[:])
	m.Write([]byte("backup of keys"))
	m.Write(archive)
	return keysPrefix + hex.EncodeToString(m.Sum(nil)[:8]) + keysSuffix
}

// saveKeys puts the archive into a backup's folder, in place of an older one. If it
// is there already, nobody has to be able to open it: recipients may be empty.
func saveKeys(dir string, cfg *config.Config, secret relaySecret, recipients []age.Recipient) error {
	files, err := keyFiles(cfg, secret)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	archive, err := packKeys(files)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	name := archiveName(secret, archive)
	if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return nil
	}
	if len(recipients) == 0 {
		return errNoRecipient
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipients...)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if _, err := w.Write(archive); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return replaceArchive(dir, name, sealed.Bytes())
}

// replaceArchive writes the new archive durably, then removes the older ones.
func replaceArchive(dir, name string, sealed []byte) error {
	old, err := filepath.Glob(filepath.Join(dir, keysPrefix+"*"+keysSuffix))
	if err != nil {
		return err
	}
	if err := writeNewFile(filepath.Join(dir, name), sealed); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
	}
	return nil
}

// openKeys decrypts the archive of a backup's folder, or of that above it. Without
// one it returns nothing.
func openKeys(dir string, identities []age.Identity) ([]keyFile, error) {
	for _, d := range []string{dir, filepath.Dir(filepath.Dir(dir))} {
		found, err := filepath.Glob(filepath.Join(d, keysPrefix+"*"+keysSuffix))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		if len(identities) == 0 {
			return nil, errNoIdentity
		}
		b, err := os.ReadFile(found[len(found)-1])
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		r, err := age.Decrypt(bytes.NewReader(b), identities...)
		if err != nil {
			return nil, fmt.Errorf("keys: they don't open with that: %w", err)
		}
		return unpackKeys(r)
	}
	return nil, nil
}

var (
	errNoRecipient = usageError{errors.New("say who shall be able to open the relay key in the backup: --recipient age1… or --passphrase-file FILE; " +
		"or --without-keys, and keep relay.key and the folders of data_dir yourself: without the relay key a backup can't be restored")}
	errNoIdentity = usageError{errors.New("the backup has the relay key, encrypted: open it with --identity FILE or --passphrase-file FILE, or put relay.key in its place yourself")}
)

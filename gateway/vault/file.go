package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unfinished marks files that are being written: what a crash leaves of them is
// removed at the next Open.
const unfinished = ".new"

// writeFile replaces a file: after a crash or power cut it has either its old
// content or all of the new.
func writeFile(path string, content []byte) error {
	return replaceFile(path, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

// replaceFile is writeFile for content that write writes.
func replaceFile(path string, write func(*os.File) error) error {
	temp := path + "." + rand.Text() + unfinished
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// sweep removes what a crash has left half written.
func sweep(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, unfinished) {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		return fmt.Errorf("sweep vault: %w", err)
	}
	return nil
}

package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/restante/restante/mailbox/seal"
)

// bodyFiles keeps large bodies: the file of a body has the blob's name, in one
// of 256 folders by its first byte. While it is written the name has a suffix.
type bodyFiles struct {
	dir      string
	folders  [256]folder
	careless careless

	mu     sync.Mutex
	coming map[seal.BlobID]bool // on their way in: no row names them yet
	holds  int                  // copies under way, for which nothing is removed
	held   []seal.BlobID        // what would have been
}

// folder is made, durably, when the first body needs it.
type folder struct {
	mu   sync.Mutex
	made bool
}

const unfinished = ".new"

func openBodyFiles(dir string, c careless) (*bodyFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &bodyFiles{dir: dir, careless: c, coming: make(map[seal.BlobID]bool)}, syncDir(filepath.Dir(dir))
}

// claim makes the folder the store's, and refuses one of another: each would
// sweep away the other's bodies.
func (b *bodyFiles) claim(id seal.StoreID) error {
	path := filepath.Join(b.dir, "store")
	have, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return writeFile(path, []byte(id.String()))
	}
	if err == nil && string(have) != id.String() {
		return fmt.Errorf("the folder %s holds the bodies of another store: give each store its own", b.dir)
	}
	return err
}

// writeFile makes a small file, durably: after a power cut it is there whole, or
// not at all.
func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path+unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+unfinished, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (b *bodyFiles) folder(blob seal.BlobID) string {
	return filepath.Join(b.dir, blob.String()[:2])
}

func (b *bodyFiles) path(blob seal.BlobID) string {
	return filepath.Join(b.folder(blob), blob.String())
}

// create begins a file. The sweep spares it, however old the clock says it is,
// until arrived is called.
func (b *bodyFiles) create(blob seal.BlobID) (*os.File, error) {
	if err := b.makeFolder(blob); err != nil {
		return nil, err
	}
	b.expect(blob)
	f, err := os.OpenFile(b.path(blob)+unfinished, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		b.arrived(blob)
	}
	return f, err
}

func (b *bodyFiles) expect(blob seal.BlobID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.coming[blob] = !b.careless.sweepAll
}

// arrived is called when a file has its row, or never will have one.
func (b *bodyFiles) arrived(blob seal.BlobID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.coming, blob)
}

// expected returns the files that are on their way in.
func (b *bodyFiles) expected() map[seal.BlobID]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.coming)
}

// makeFolder returns when the folder's own name is durable, whoever made it.
func (b *bodyFiles) makeFolder(blob seal.BlobID) error {
	f := &b.folders[blob[0]]
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.made {
		return nil
	}
	if err := os.Mkdir(b.folder(blob), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(b.dir); err != nil {
		return err
	}
	f.made = true
	return nil
}

// commit makes a file's bytes durable, then its name.
func (b *bodyFiles) commit(f *os.File, blob seal.BlobID) error {
	path := b.path(blob)
	if b.careless.looseFiles {
		return errors.Join(f.Close(), os.Rename(path+unfinished, path))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+unfinished, path); err != nil {
		return err
	}
	return syncDir(b.folder(blob))
}

func (b *bodyFiles) open(blob seal.BlobID) (fileBody, error) {
	f, err := os.Open(b.path(blob))
	if err != nil {
		return fileBody{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return fileBody{}, errors.Join(err, f.Close())
	}
	return fileBody{f, info.Size()}, nil
}

// hold keeps files that no row names any more until release is called: a snapshot
// that is being read may still name them.
func (b *bodyFiles) hold() (release func()) {
	if b == nil {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holds++
	return b.release
}

func (b *bodyFiles) release() {
	b.mu.Lock()
	b.holds--
	var gone []seal.BlobID
	if b.holds == 0 {
		gone, b.held = b.held, nil
	}
	b.mu.Unlock()
	b.remove(gone)
}

// holdBack reports whether files must stay for now, and remembers them.
func (b *bodyFiles) holdBack(blobs []seal.BlobID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holds > 0 {
		b.held = append(b.held, blobs...)
	}
	return b.holds > 0
}

// remove removes files that no row names any more. One that can't be removed is
// left to the sweep.
func (b *bodyFiles) remove(blobs []seal.BlobID) {
	if len(blobs) == 0 || b.holdBack(blobs) {
		return
	}
	for _, blob := range blobs {
		os.Remove(b.path(blob))
	}
}

// removeBoth removes a file whether it was finished or not.
func (b *bodyFiles) removeBoth(blob seal.BlobID) {
	os.Remove(b.path(blob) + unfinished)
	os.Remove(b.path(blob))
}

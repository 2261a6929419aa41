package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/restante/restante/mailbox/seal"
)

// A blob's file has a record with its keys and size, the length of that before it
// (four bytes, big-endian), and then the content in chunks under those keys.
const (
	blobHead    = len(seal.BlobID{}) + len(seal.DEK{}) + 8
	maxBlobNote = 64 << 10 // bytes of the record; names are short
)

// PutBlob keeps size bytes from r under a kind and a name, in place of what was
// there: for what is too large for memory. What Put promises holds. A blob and a
// record of one kind and name are the same file.
func (v *Vault) PutBlob(kind, name string, r io.Reader, size int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return ErrClosed
	}
	p := v.place(kind, name)
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	m := seal.NewMessage(v.keys.Owner())
	defer m.DEK.Wipe()
	head := v.keys.SealNote(p.label, pack(name, blobKeys(&m, size)))
	err := replaceFile(p.file, func(f *os.File) error { return writeBlob(f, head, &m, r, size) })
	if err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	return syncDir(v.dir)
}

func writeBlob(w io.Writer, head []byte, m *seal.Message, r io.Reader, size int64) error {
	if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...)); err != nil {
		return err
	}
	body, err := m.NewBodyWriter(w, size)
	if err != nil {
		return err
	}
	_, err = io.Copy(body, r)
	return errors.Join(err, body.Close())
}

func blobKeys(m *seal.Message, size int64) []byte {
	b := append(m.Blob[:len(m.Blob):len(m.Blob)], m.DEK[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(size))
}

// Blob reads what PutBlob kept. It is safe for concurrent use until Close.
type Blob struct {
	*seal.BodyReader
	file *os.File
}

// Close closes the file.
func (b *Blob) Close() error { return b.file.Close() }

// OpenBlob opens a blob. Errors: ErrNoRecord, ErrDamaged. Reading it returns only
// what was kept, or seal.ErrOpen.
func (v *Vault) OpenBlob(kind, name string) (*Blob, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return nil, ErrClosed
	}
	p := v.place(kind, name)
	f, err := os.Open(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoRecord
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	r, err := v.readBlob(f, p)
	if err != nil {
		err = fmt.Errorf("%w: blob %s: %w", ErrDamaged, filepath.Base(p.file), err)
		return nil, errors.Join(err, f.Close())
	}
	return &Blob{r, f}, nil
}

func (v *Vault) readBlob(f *os.File, p place) (*seal.BodyReader, error) {
	_, keys, start, err := v.readBlobHead(f, p)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m := seal.Message{Owner: v.keys.Owner(), Blob: seal.BlobID(keys[:16]), DEK: seal.DEK(keys[16 : blobHead-8])}
	size := int64(binary.BigEndian.Uint64(keys[blobHead-8:]))
	rest := io.NewSectionReader(f, start, info.Size()-start)
	return m.NewBodyReader(rest, rest.Size(), size)
}

// readBlobHead reads the record at the beginning of a blob's file, and returns where
// the content begins.
func (v *Vault) readBlobHead(f *os.File, p place) (name string, keys []byte, start int64, err error) {
	var length [4]byte
	if _, err := io.ReadFull(f, length[:]); err != nil {
		return "", nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > maxBlobNote {
		return "", nil, 0, seal.ErrOpen
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(f, head); err != nil {
		return "", nil, 0, err
	}
	packed, err := v.keys.OpenNote(p.label, head)
	if err != nil {
		return "", nil, 0, err
	}
	name, keys, ok := unpack(packed)
	if !ok || len(keys) != blobHead {
		return "", nil, 0, seal.ErrOpen
	}
	return name, keys, int64(len(length)) + n, nil
}

// SweepBlobs removes the blobs of a kind that keep does not want. The kind must have
// blobs only.
func (v *Vault) SweepBlobs(kind string, keep func(name string) bool) error {
	places, err := v.list(kind)
	if err != nil {
		return err
	}
	for _, p := range places {
		name, err := v.blobName(p)
		if err != nil {
			return err
		}
		if keep(name) {
			continue
		}
		if err := os.Remove(p.file); err != nil {
			return fmt.Errorf("sweep blobs: %w", err)
		}
	}
	return nil
}

// blobName reads the name of a blob.
func (v *Vault) blobName(p place) (string, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return "", ErrClosed
	}
	f, err := os.Open(p.file)
	if err != nil {
		return "", fmt.Errorf("open blob: %w", err)
	}
	defer f.Close()
	name, _, _, err := v.readBlobHead(f, p)
	if err != nil {
		return "", fmt.Errorf("%w: blob %s: %w", ErrDamaged, filepath.Base(p.file), err)
	}
	return name, nil
}

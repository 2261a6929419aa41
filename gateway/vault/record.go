package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Put keeps content under a kind and a name, in place of what was there. It is
// durable when Put returns nil; after an error the old record is still whole.
func (v *Vault) Put(kind, name string, content []byte) error {
	err := v.put(kind, name, content)
	if err == nil {
		v.notify(kind)
	}
	return err
}

func (v *Vault) put(kind, name string, content []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return ErrClosed
	}
	p := v.place(kind, name)
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if err := writeFile(p.file, v.keys.SealNote(p.label, pack(name, content))); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return syncDir(v.dir) // the folder may be new
}

// Get returns what Put kept. Errors: ErrNoRecord, ErrDamaged.
func (v *Vault) Get(kind, name string) ([]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return nil, ErrClosed
	}
	_, content, err := v.read(v.place(kind, name))
	return content, err
}

// Delete removes a record, durably. It is no error if there is none.
func (v *Vault) Delete(kind, name string) error {
	err := v.delete(kind, name)
	if err == nil {
		v.notify(kind)
	}
	return err
}

func (v *Vault) delete(kind, name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return ErrClosed
	}
	p := v.place(kind, name)
	err := os.Remove(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(p.folder))
}

// Each calls f for each record of a kind, in no order. f may change the vault:
// records that it adds may or may not come up. It returns f's first error.
func (v *Vault) Each(kind string, f func(name string, content []byte) error) error {
	places, err := v.list(kind)
	if err != nil {
		return err
	}
	for _, p := range places {
		name, content, err := v.readAt(p)
		if errors.Is(err, ErrNoRecord) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if err := f(name, content); err != nil {
			return err
		}
	}
	return nil
}

// list returns where the records of a kind lie now.
func (v *Vault) list(kind string) ([]place, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return nil, ErrClosed
	}
	folder := v.folder(kind)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	var list []place
	for _, e := range entries {
		if isRecord(e.Name()) {
			list = append(list, at(folder, e.Name()))
		}
	}
	return list, nil
}

func (v *Vault) readAt(p place) (name string, content []byte, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return "", nil, ErrClosed
	}
	return v.read(p)
}

func (v *Vault) read(p place) (name string, content []byte, err error) {
	sealed, err := os.ReadFile(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, ErrNoRecord
	}
	if err != nil {
		return "", nil, fmt.Errorf("read record: %w", err)
	}
	packed, err := v.keys.OpenNote(p.label, sealed)
	if err != nil {
		return "", nil, fmt.Errorf("%w: record %s: %w", ErrDamaged, filepath.Base(p.file), err)
	}
	name, content, ok := unpack(packed)
	if !ok {
		return "", nil, fmt.Errorf("%w: record %s has no name", ErrDamaged, filepath.Base(p.file))
	}
	return name, content, nil
}

// DeleteAll removes all records and blobs of a kind, readable or not.
func (v *Vault) DeleteAll(kind string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return ErrClosed
	}
	if err := os.RemoveAll(v.folder(kind)); err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	return syncDir(v.dir)
}

// Package vault keeps what a gateway must not lose and nobody else may read:
// keys, contacts, settings, and the mail that is on its way out.
//
// A vault is a folder. Each record in it is a file of its own, sealed with
// AES-256-GCM under keys that follow from one random root (package seal). The
// root is wrapped once for each way to open the vault: a secret in the operating
// system's keyring, or a passphrase, stretched by Argon2id.
//
//	v, err := vault.Create(vault.Options{Dir: dir, Passphrase: ask})
//	err = v.Put("contact", "bob@example.org", content)
//	content, err = v.Get("contact", "bob@example.org")
//
// Records are files, and not rows of the local mail store, for three reasons: that
// store is opened with a key from here; its contract is about mail and shared with
// the relay; and a file that is written anew, synced and renamed needs no engine
// to be whole after a power cut.
//
// Neither the kind of a record nor its name can be read without the root: folders
// and files are named by MACs. What the folder shows is how many records there are
// of how many kinds, their sizes in steps, and when they were written. A record
// that was changed, or put in place of another, does not open. One that was deleted,
// or set back to an earlier state of itself, can't be told.
package vault

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/restante/restante/mailbox/seal"
)

// The outcomes that callers tell apart.
var (
	// ErrNone: there is no vault in the folder.
	ErrNone = errors.New("there is no vault here yet: make one with `restante gateway init`, or `restante gateway pair --page` brings that of your other machine")
	// ErrExists: there is a vault in the folder already.
	ErrExists = errors.New("there is a vault here already")
	// ErrLocked: another process has the vault open.
	ErrLocked = errors.New("the vault is in use by another process")
	// ErrPassphrase: the passphrase is not the vault's. Nothing was opened.
	ErrPassphrase = errors.New("wrong passphrase: the vault stays closed")
	// ErrUnlock: there is no way to open the vault from here.
	ErrUnlock = errors.New("the vault can't be opened")
	// ErrNewer: the vault was written by a newer version of the program.
	ErrNewer = errors.New("the vault was written by a newer version of restante: update this one")
	// ErrDamaged: a file of the vault was changed, cut off or put in the place of another.
	ErrDamaged = errors.New("the vault is damaged")
	// ErrNoRecord: there is no record of that kind and name.
	ErrNoRecord = errors.New("no such record in the vault")
	// ErrClosed: the vault was closed.
	ErrClosed = errors.New("the vault is closed")
)

// Options says where a vault is and how it is opened. At least one of
// Passphrase and Keyring is needed.
type Options struct {
	// Dir is the vault's folder, which it has to itself.
	Dir string

	// Keyring keeps the secret that opens the vault. Open asks it first.
	Keyring Keyring

	// Passphrase is called at most once, when a passphrase is needed: to make a
	// vault that one opens, or to open one that the keyring does not.
	Passphrase func() (string, error)

	// Stretch is what trying a passphrase costs; zero is seal.DefaultParams.
	// Only Create looks at it.
	Stretch seal.Params
}

// Vault is an open vault. It is safe for concurrent use. Only one process can have
// it open.
type Vault struct {
	dir  string
	lock *os.File

	mu   sync.RWMutex // held for reading by reads, for writing by changes
	keys *seal.Keys   // nil when closed

	changed atomic.Pointer[func(kind string)]
}

// The vault is the only account of its store, of the first generation.
func ownerOf(id seal.StoreID) seal.Owner {
	return seal.Owner{Store: id, Account: 1, Generation: 1}
}

// Create makes a vault and opens it. It is durable when Create returns. Errors:
// ErrExists, ErrLocked, and that of Passphrase or the keyring.
func Create(o Options) (*Vault, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make vault: %w", err)
	}
	return withLock(o, func() (*seal.Keys, error) {
		if _, err := os.Stat(filepath.Join(o.Dir, headerName)); err == nil {
			return nil, ErrExists
		}
		root := seal.NewRoot()
		defer root.Wipe()
		h := header{Version: headerVersion, ID: seal.NewStoreID()}
		if err := h.addWays(o, &root); err != nil {
			return nil, fmt.Errorf("make vault: %w", err)
		}
		if err := h.write(o.Dir); err != nil {
			return nil, fmt.Errorf("make vault: %w", err)
		}
		return root.Keys(ownerOf(h.ID)), nil
	})
}

// Open opens a vault. Errors: ErrNone, ErrLocked, ErrPassphrase, ErrUnlock,
// ErrNewer, ErrDamaged, and that of Passphrase.
func Open(o Options) (*Vault, error) {
	if _, err := os.Stat(o.Dir); errors.Is(err, os.ErrNotExist) {
		return nil, ErrNone
	}
	return withLock(o, func() (*seal.Keys, error) {
		h, err := readHeader(o.Dir)
		if err != nil {
			return nil, err
		}
		root, err := h.unlock(o)
		if err != nil {
			return nil, err
		}
		defer root.Wipe()
		return root.Keys(ownerOf(h.ID)), sweep(o.Dir)
	})
}

// withLock calls unlock while it holds the folder's lock, which the vault keeps.
func withLock(o Options, unlock func() (*seal.Keys, error)) (*Vault, error) {
	lock, err := lockFile(filepath.Join(o.Dir, lockName))
	if err != nil {
		return nil, err
	}
	keys, err := unlock()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Vault{dir: o.Dir, lock: lock, keys: keys}, nil
}

// Close forgets the keys and lets other processes open the vault. It may be called
// twice.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return nil
	}
	v.keys = nil
	return v.lock.Close()
}

// place is where a record lies, and the label that binds it there.
type place struct {
	folder, file, label string
}

// place returns where a record is kept. The zero byte between kind and name keeps
// two pairs from having one MAC.
func (v *Vault) place(kind, name string) place {
	f := v.folder(kind)
	mac := v.keys.NameMAC(kind + "\x00" + name)
	return at(f, hex.EncodeToString(mac[:]))
}

func (v *Vault) folder(kind string) string {
	mac := v.keys.NameMAC(kind)
	return filepath.Join(v.dir, hex.EncodeToString(mac[:]))
}

func at(folder, file string) place {
	return place{folder, filepath.Join(folder, file), "vault/" + filepath.Base(folder) + "/" + file}
}

// pack puts a record's name before its content, for those who list records.
func pack(name string, content []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	return append(append(b, name...), content...)
}

func unpack(b []byte) (name string, content []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return "", nil, false
	}
	return string(b[4 : 4+n]), b[4+n:], true
}

// isRecord tells records from files that are being written.
func isRecord(name string) bool { return !strings.Contains(name, ".") }

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/pgp"
)

const (
	recoveryName = "recovery"
	backupName   = "backup"

	backupPurpose = "backup"
)

// recovery is the code under which the backup lies, the same for all devices.
type recovery struct {
	Code string `json:"code"`

	// Previous opens what lies there until it was written anew under Code.
	Previous string `json:"previous,omitempty"`
}

// RecoveryCode returns the code that opens the account's backup, and makes it when it is
// first asked for. It belongs on paper, away from this machine.
func RecoveryCode(v *vault.Vault) (string, error) {
	var r recovery
	err := getSettings(v, recoveryName, &r)
	if errors.Is(err, vault.ErrNoRecord) {
		secret := seal.NewSecret()
		defer secret.Wipe()
		r.Code = secret.Reveal()
		err = putSettings(v, recoveryName, r)
	}
	return r.Code, err
}

// BackupState is what became of the backup.
type BackupState struct {
	ID     string    `json:"id,omitempty"`     // Message-ID of what this device wrote last
	Digest string    `json:"digest,omitempty"` // of what was in it
	At     time.Time `json:"at,omitzero"`
	Sparse bool      `json:"sparse,omitempty"` // hearsay had to be left out
}

// keeper keeps the backup in the account's own mailbox: written anew when keys, contacts
// or groups change, and merged with what other devices of the user have put there.
type keeper struct {
	vault    *vault.Vault
	upstream Upstream
	adopt    func(*bundle) error
	now      func() time.Time
	log      *slog.Logger
	wake     chan struct{}
	settle   time.Duration // from a change to the upload, so that many changes make one

	working sync.Mutex // one upload at a time
	mu      sync.Mutex
	fault   error // of the last try, nil after one that went through
}

func (g *Gateway) newKeeper() *keeper {
	adopt := func(b *bundle) error {
		changed, err := g.adopt(b)
		if err == nil && changed {
			err = g.ReloadKeys()
		}
		return err
	}
	return &keeper{vault: g.o.Vault, upstream: g.upstream, adopt: adopt, now: g.o.Now, log: g.o.Log, wake: make(chan struct{}, 1), settle: backupSettle}
}

// Backup brings the backup in the account up to date now. Run does so by itself.
func (g *Gateway) Backup(ctx context.Context) error { return g.keeper.save(ctx) }

// backupSettle is how long a change waits for others.
const backupSettle = 5 * time.Second

// kick asks for a backup. It returns at once.
func (k *keeper) kick() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends, then returns nil. What fails is tried again.
func (k *keeper) run(ctx context.Context) error {
	stop := k.vault.Notify(func(kind string) {
		for _, c := range carried {
			if kind == c {
				k.kick()
			}
		}
	})
	defer stop()
	k.kick()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		}
		if err := pause.For(ctx, k.settle); err != nil {
			return nil
		}
		err := k.save(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			failures = 0
			continue
		}
		failures++
		k.log.Warn("the backup was not written", "failures", failures, "error", err)
		if pause.For(ctx, reconnectAfter(failures)) != nil {
			return nil
		}
		k.kick()
	}
}

// save brings the backup up to date. It is durable at the provider when save returns nil.
func (k *keeper) save(ctx context.Context) error {
	k.working.Lock()
	defer k.working.Unlock()
	err := k.trySave(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fault = err
	return err
}

// load returns what was written last.
func (k *keeper) load() (BackupState, error) {
	var s BackupState
	err := getSettings(k.vault, backupName, &s)
	if errors.Is(err, vault.ErrNoRecord) {
		err = nil
	}
	return s, err
}

// state returns what was written last, and what went wrong since.
func (k *keeper) state() (s BackupState, fault, err error) {
	s, err = k.load()
	k.mu.Lock()
	defer k.mu.Unlock()
	return s, k.fault, err
}

func (k *keeper) trySave(ctx context.Context) error {
	code, err := RecoveryCode(k.vault)
	if err != nil {
		return err
	}
	s, err := k.load()
	if err != nil {
		return err
	}
	return k.upstream.onServer(ctx, func(r *remote) error {
		there, err := k.collect(r, s)
		if err != nil {
			return err
		}
		return k.replace(r, code, there)
	})
}

// stored is what is in the account now.
type stored struct {
	mails  []deviceMail
	digest string // of the last one
}

// collect takes over what other devices have put into the backup since, and returns what
// is there now.
func (k *keeper) collect(r *remote, s BackupState) (there stored, err error) {
	codes, err := k.codes()
	if err != nil {
		return there, err
	}
	all, err := r.deviceMails()
	if err != nil {
		return there, err
	}
	for _, m := range all {
		if m.purpose != backupPurpose {
			continue
		}
		there.mails = append(there.mails, m)
		if there.digest = s.Digest; m.id == s.ID {
			continue
		}
		b, err := readBackup(r, m, codes...)
		if errors.Is(err, pgp.ErrNoKey) || errors.Is(err, errBundle) {
			return there, fmt.Errorf("there is a backup in the account that this device can't open: "+
				"if it is yours, use `restante gateway restore` or `restante gateway pair`; it is left alone (%w)", err)
		}
		if err != nil {
			return there, err
		}
		if b != nil {
			there.digest = b.digest()
			if err := k.adopt(b); err != nil {
				return there, err
			}
		}
	}
	return there, nil
}

// codes returns those that open a backup of this user.
func (k *keeper) codes() ([]string, error) {
	var r recovery
	err := getSettings(k.vault, recoveryName, &r)
	if r.Previous == "" {
		return []string{r.Code}, err
	}
	return []string{r.Code, r.Previous}, err
}

// readBackup opens a backup, or returns nil if it is gone.
func readBackup(r *remote, m deviceMail, codes ...string) (*bundle, error) {
	mail, ok, err := r.readDeviceMail(m)
	if err != nil || !ok {
		return nil, err
	}
	for _, code := range codes {
		var content []byte
		if content, err = openDeviceMail(mail, code); err == nil {
			return unpack(content)
		}
	}
	return nil, err
}

// replace writes the backup, if there is anything new, and then removes what was there: a
// crash between the two leaves one too many and never none.
func (k *keeper) replace(r *remote, code string, there stored) error {
	now := k.now()
	b, err := newBundle(k.vault, now, false)
	if err != nil {
		return err
	}
	digest := b.digest()
	if len(there.mails) == 1 && there.digest == digest {
		return nil
	}
	id := newDeviceID(backupPurpose, k.upstream.Address)
	mail, err := b.seal(k.upstream, id, code, now)
	sparse := errors.Is(err, errBackupSize)
	if sparse {
		if b, err = newBundle(k.vault, now, true); err != nil {
			return err
		}
		mail, err = b.seal(k.upstream, id, code, now)
	}
	if err != nil {
		return err
	}
	if err := r.putDeviceMail(mail, now); err != nil {
		return err
	}
	if err := putSettings(k.vault, backupName, BackupState{ID: id, Digest: digest, At: now, Sparse: sparse}); err != nil {
		return err
	}
	if err := r.removeDeviceMails(there.mails); err != nil {
		return err
	}
	return k.forgetCode()
}

// forgetCode drops the code before the present one, under which nothing lies any more.
func (k *keeper) forgetCode() error {
	var r recovery
	if err := getSettings(k.vault, recoveryName, &r); err != nil || r.Previous == "" {
		return err
	}
	return putSettings(k.vault, recoveryName, recovery{Code: r.Code})
}

// seal returns the bundle as a mail.
func (b *bundle) seal(u Upstream, id, secret string, now time.Time) ([]byte, error) {
	packed, err := b.pack()
	if err != nil {
		return nil, err
	}
	return sealDeviceMail(u.Address, id, packed, secret, now)
}

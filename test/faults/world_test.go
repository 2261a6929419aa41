//go:build faults && linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
)

const password = "a password that the tests know"

var (
	owner     = addr.MustParse("owner@example.org")
	sender    = addr.MustParse("sender@example.net")
	relayKey  = [seal.RelaySecretSize]byte{3: 9}
	cheapHash = seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1}
)

// world is a service on a store, as a relay has it.
type world struct {
	*mailbox.Service
	store *sqlstore.Store
}

// storeOptions are those of a store in dir.
func storeOptions(dir string) sqlstore.Options {
	return sqlstore.Options{
		Path:     filepath.Join(dir, "mail.db"),
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(relayKey, id).Check() },
	}
}

func openWorld(ctx context.Context, o sqlstore.Options) (*world, error) {
	store, err := sqlstore.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	service, err := mailbox.New(mailbox.Options{
		Store: store, Key: seal.NewRelayKey(relayKey, store.ID()), Domain: owner.Domain(), Passwords: cheapHash, Now: o.Now,
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &world{service, store}, nil
}

func (w *world) close() error { return errors.Join(w.Service.Close(), w.store.Close()) }

// login opens the owner's session, and makes the account if it is missing.
func (w *world) login(ctx context.Context) (*mailbox.Session, error) {
	_, err := w.CreateAccount(ctx, owner, mailbox.NewAccountOptions{Password: password})
	if err != nil && !errors.Is(err, mailbox.ErrExists) {
		return nil, err
	}
	return w.Login(ctx, mailbox.Login{User: owner.String(), Secret: password})
}

// deliver delivers the message of that id to the owner.
func (w *world) deliver(ctx context.Context, id string) error {
	m, err := w.Receive(ctx, strings.NewReader(message(id)), mailbox.ReceiveOptions{})
	if err != nil {
		return err
	}
	defer m.Close()
	to, err := w.Recipient(ctx, owner, m.Size)
	if err != nil {
		return err
	}
	return w.Deliver(ctx, sender, []mailbox.Recipient{to}, m)
}

// deliverSurely tries again until the outcome is known.
func (w *world) deliverSurely(ctx context.Context, id string) error {
	for {
		if err := w.deliver(ctx, id); !errors.Is(err, mailbox.ErrUnknown) {
			return err
		}
	}
}

// message is the whole text of a message, which its id determines. One in eight is
// large enough to be a file.
func message(id string) string {
	h := fnv.New64a()
	h.Write([]byte(id))
	seed := h.Sum64()
	lines := 20
	if seed%8 == 0 {
		lines = 1500
	}
	random := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\nMessage-ID: <%s>\r\nDate: Mon, 4 May 2026 05:02:01 +0000\r\n", sender, owner, id)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n")
	for range lines {
		fmt.Fprintf(&b, "%016x%016x%016x%016x\r\n", random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64())
	}
	return b.String()
}

// idOf returns the id of a stored message.
func idOf(i *mailbox.Item) (string, error) {
	info, err := i.Info()
	if err != nil {
		return "", err
	}
	return strings.Trim(info.Envelope.MessageID, "<>"), nil
}

// whole reports whether a stored message is to the last byte what was delivered.
func whole(ctx context.Context, i *mailbox.Item, id string) bool {
	b, err := i.Body(ctx)
	if err != nil {
		return false
	}
	defer b.Close()
	text, err := io.ReadAll(b.Section(0, b.Size()))
	return err == nil && string(text) == message(id)
}

// pause waits a moment or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

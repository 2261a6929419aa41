package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// brokenStore is a store whose disk gives trouble after some bodies.
type brokenStore struct {
	mailbox.Store
	bodies  int  // that can still be made
	commits bool // whether they become durable
	open    atomic.Int64
}

var errDisk = errors.New("disk gives trouble")

func (s *brokenStore) CreateBody(ctx context.Context, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyWriter, error) {
	if s.bodies == 0 {
		return nil, errDisk
	}
	s.bodies--
	b, err := s.Store.CreateBody(ctx, id, blob, size)
	if err == nil {
		s.open.Add(1)
	}
	return &brokenBody{BodyWriter: b, store: s}, err
}

type brokenBody struct {
	mailbox.BodyWriter
	store *brokenStore
}

func (b *brokenBody) Commit() error {
	if !b.store.commits {
		return errDisk
	}
	return b.BodyWriter.Commit()
}

func (b *brokenBody) Discard() {
	b.store.open.Add(-1)
	b.BodyWriter.Discard()
}

func TestFailedDeliveryGivesBodiesBack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		store brokenStore
	}{
		{"no body", brokenStore{}},
		{"no second body", brokenStore{bodies: 1, commits: true}},
		{"not durable", brokenStore{bodies: 2}},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b, c := w.account(t, "b@example.org"), w.account(t, "c@example.org")
			tt.store.Store = w.store
			s := w.newService(t, func(o *mailbox.Options) { o.Store = &tt.store })
			defer s.Close()
			m := w.receive(t, message("x", 3000))
			to := []mailbox.Recipient{{Account: b.Account, Address: b.Address}, {Account: c.Account, Address: c.Address}}
			if err := s.Deliver(t.Context(), addr.MustParse("a@example.net"), to, m); !errors.Is(err, errDisk) {
				t.Errorf("deliver: %v, want the disk's error", err)
			}
			x, err := s.Login(t.Context(), mailbox.Login{User: "b", Secret: b.Secret})
			if err != nil {
				t.Fatal(err)
			}
			tt.store.bodies = min(tt.store.bodies+1, 1)
			if _, err := x.Append(t.Context(), mailbox.Inbox, mailbox.Append{Message: m}, mailbox.Append{Message: m}); !errors.Is(err, errDisk) {
				t.Errorf("append: %v, want the disk's error", err)
			}
			if got := tt.store.open.Load(); got != 0 {
				t.Errorf("%d bodies were not given back", got)
			}
			if got := len(texts(t, x, mailbox.Inbox)); got != 0 {
				t.Errorf("%d messages were stored", got)
			}
		})
	}
}

func TestClosedSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	if x.Account() != c.Account {
		t.Errorf("account %v, want %v", x.Account(), c.Account)
	}
	x.Close()
	ctx := t.Context()
	calls := map[string]func() error{
		"Addresses":    func() error { _, err := x.Addresses(ctx); return err },
		"Usage":        func() error { _, _, err := x.Usage(ctx); return err },
		"Folders":      func() error { _, err := x.Folders(ctx); return err },
		"Folder":       func() error { _, err := x.Folder(ctx, "INBOX"); return err },
		"Status":       func() error { _, err := x.Status(ctx, "INBOX"); return err },
		"Create":       func() error { _, err := x.Create(ctx, "a", mailbox.NoUse); return err },
		"Delete":       func() error { return x.Delete(ctx, "Sent") },
		"Rename":       func() error { return x.Rename(ctx, "Sent", "a") },
		"Subscribe":    func() error { return x.Subscribe(ctx, "a", true) },
		"KeywordNames": func() error { _, err := x.KeywordNames(ctx); return err },
		"FlagsOf":      func() error { _, err := x.FlagsOf(ctx, []string{"a"}); return err },
		"Open":         func() error { _, err := x.Open(ctx, mailbox.Inbox); return err },
		"Fetch":        func() error { return x.Fetch(ctx, mailbox.Inbox, mailbox.AllUIDs(), nil) },
		"Changes":      func() error { _, err := x.Changes(ctx, mailbox.Inbox, 0); return err },
		"Append":       func() error { _, err := x.Append(ctx, mailbox.Inbox); return err },
		"StoreFlags":   func() error { _, err := x.StoreFlags(ctx, mailbox.Inbox, mailbox.FlagChange{}); return err },
		"Copy":         func() error { _, err := x.Copy(ctx, mailbox.CopyRequest{}); return err },
		"Expunge":      func() error { _, err := x.Expunge(ctx, mailbox.Inbox, nil, true); return err },
		"TakeRecent":   func() error { _, err := x.TakeRecent(ctx, mailbox.Inbox); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, mailbox.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}

func TestLoginHidesItselfFromLogs(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "login", mailbox.Login{User: "joe", Secret: "hunter2"})
	if bytes.Contains(b.Bytes(), []byte("joe")) || bytes.Contains(b.Bytes(), []byte("hunter2")) {
		t.Errorf("log line %q", b.String())
	}
}

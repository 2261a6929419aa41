package mailbox_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

func TestDeliverAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	small, large := message("small", 0), message("large", 5000)
	w.deliver(t, small, "b@example.org")
	w.deliver(t, large, "B@EXAMPLE.org")
	if diff := cmp.Diff(map[mailbox.UID]string{1: small, 2: large}, texts(t, x, mailbox.Inbox)); diff != "" {
		t.Error(diff)
	}
}

func TestItemInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	text := message("one", 3)
	w.deliver(t, text, "b@example.org")
	var ids []string
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		info, err := i.Info()
		if err != nil {
			return err
		}
		if info.Size != int64(len(text)) || info.HeaderLen != int64(strings.Index(text, "\r\n\r\n")+4) {
			t.Errorf("size %d, header %d", info.Size, info.HeaderLen)
		}
		if !info.Date.Equal(w.clock.Now()) || info.Envelope.Subject != "one" || info.Envelope.MessageID != "<one@example.net>" {
			t.Errorf("info %+v", info)
		}
		if got, want := len(info.Kept), 4; got != want || !info.KeptAll { // Message-ID, Date, From, Content-Type
			t.Errorf("%d kept fields, want %d", got, want)
		}
		part, err := i.Structure()
		if err != nil || !part.Is("text/plain") || part.Lines != 4 {
			t.Errorf("structure %+v, %v", part, err)
		}
		ids = append(ids, i.ID())
		return nil
	})
	if err != nil || len(ids) != 1 || len(ids[0]) != 32 {
		t.Errorf("fetched %q, %v", ids, err)
	}
}

func TestBodyRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	text := message("large", 5000)
	w.deliver(t, text, "b@example.org")
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		b, err := i.Body(t.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		for _, r := range []struct{ off, n int64 }{{0, 10}, {65530, 20}, {131072, 70000}, {int64(len(text)) - 5, 100}, {int64(len(text)) + 5, 3}, {0, 1 << 40}} {
			want := text[min(r.off, b.Size()):min(r.off+r.n, b.Size())]
			part := b.Section(r.off, r.n)
			if err := iotest.TestReader(part, []byte(want)); err != nil {
				t.Errorf("section %d+%d: %v", r.off, r.n, err)
			}
			var copied bytes.Buffer
			if _, err := io.Copy(&copied, b.Section(r.off, r.n)); err != nil || copied.String() != want {
				t.Errorf("copy of section %d+%d: %d octets, %v", r.off, r.n, copied.Len(), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDeliverToSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, _ := w.owner(t, "b@example.org")
	c, _ := w.owner(t, "c@example.org")
	text := message("both", 0)
	w.deliver(t, text, "b@example.org", "c@example.org", "B@example.org")
	for _, x := range []*mailbox.Session{b, c} {
		if diff := cmp.Diff(map[mailbox.UID]string{1: text}, texts(t, x, mailbox.Inbox)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDeliverAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	text := message("once", 0)
	w.deliver(t, text, "b@example.org")
	w.deliver(t, text, "b@example.org")
	w.deliver(t, "Received: by another way\r\n"+text, "b@example.org")
	w.deliver(t, message("another", 0), "b@example.org")
	w.deliver(t, text+"more\r\n", "b@example.org")
	if got, want := len(texts(t, x, mailbox.Inbox)), 3; got != want {
		t.Errorf("%d messages, want %d", got, want)
	}
	m := w.receive(t, text)
	if err := w.Deliver(t.Context(), addr.Address{}, w.recipients(t, "b@example.org"), m); err != nil {
		t.Fatal(err)
	}
	if got, want := len(texts(t, x, mailbox.Inbox)), 4; got != want {
		t.Errorf("from another sender: %d messages, want %d", got, want)
	}
}

func TestDeliverIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, _ := w.owner(t, "b@example.org")
	c := w.account(t, "c@example.org")
	to := w.recipients(t, "b@example.org", "c@example.org")
	if err := w.SetState(t.Context(), c.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	for _, lines := range []int{0, 5000} {
		err := w.Deliver(t.Context(), addr.MustParse("a@example.net"), to, w.receive(t, message("x", lines)))
		if !errors.Is(err, mailbox.ErrDisabled) {
			t.Errorf("deliver: %v, want ErrDisabled", err)
		}
	}
	if got := texts(t, b, mailbox.Inbox); len(got) != 0 {
		t.Errorf("%d messages were stored", len(got))
	}
}

func TestRecipient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(t, "ok@example.org")
	off := w.account(t, "off@example.org")
	if err := w.SetState(t.Context(), off.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	quota := mailbox.NewAccountOptions{Quota: &mailbox.Quota{Bytes: 4096, Messages: 2}}
	if _, err := w.CreateAccount(t.Context(), addr.MustParse("small@example.org"), quota); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, address string
		size          int64
		want          error
	}{
		{"known", "ok@example.org", 0, nil},
		{"other case", "OK@Example.org", 1 << 30, nil},
		{"unknown", "no@example.org", 0, mailbox.ErrNoAccount},
		{"other domain", "ok@example.net", 0, mailbox.ErrNoAccount},
		{"disabled", "off@example.org", 0, mailbox.ErrDisabled},
		{"within quota", "small@example.org", 4096, nil},
		{"over quota", "small@example.org", 4097, mailbox.ErrOverQuota},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := w.Recipient(t.Context(), addr.MustParse(tt.address), tt.size)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil && r.Account == 0 {
				t.Error("no account")
			}
		})
	}
	w.deliver(t, message("1", 0), "small@example.org")
	w.deliver(t, message("2", 0), "small@example.org")
	if _, err := w.Recipient(t.Context(), addr.MustParse("small@example.org"), 0); !errors.Is(err, mailbox.ErrOverQuota) {
		t.Errorf("after two messages: %v, want ErrOverQuota", err)
	}
}

// refusal is a judge with an opinion.
type refusal struct {
	*mime.Walker
	early, late error
}

func (r refusal) Write(p []byte) (int, error) {
	if r.early != nil {
		return 0, r.early
	}
	return r.Walker.Write(p)
}

func (r refusal) Close() (*mime.Message, error) {
	if r.late != nil {
		return nil, r.late
	}
	return r.Walker.Close()
}

func TestReceiveErrors(t *testing.T) {
	t.Parallel()
	why := errors.New("it isn't encrypted")
	gate := func(early, late error) mailbox.Gate {
		return func(o mailbox.GateOptions) mailbox.Judge { return refusal{mime.NewWalker(o.Walk), early, late} }
	}
	broken := errors.New("connection lost")
	tests := []struct {
		name string
		r    io.Reader
		o    mailbox.ReceiveOptions
		want []error
	}{
		{"fits", strings.NewReader("123456"), mailbox.ReceiveOptions{MaxSize: 6}, nil},
		{"too large", strings.NewReader("1234567"), mailbox.ReceiveOptions{MaxSize: 6}, []error{mailbox.ErrTooLarge}},
		{"gate content", strings.NewReader("x"), mailbox.ReceiveOptions{Gate: gate(nil, nil)}, nil},
		{"refused early", strings.NewReader("x"), mailbox.ReceiveOptions{Gate: gate(why, nil)}, []error{mailbox.ErrRefused, why}},
		{"refused at the end", strings.NewReader("x"), mailbox.ReceiveOptions{Gate: gate(nil, why)}, []error{mailbox.ErrRefused, why}},
		{"reader fails", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), mailbox.ReceiveOptions{}, []error{broken}},
		{"no room", strings.NewReader(strings.Repeat("x", 300<<10)), mailbox.ReceiveOptions{}, []error{mailbox.ErrBusy}},
		{"empty", strings.NewReader(""), mailbox.ReceiveOptions{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *mailbox.Options) { o.Limits.SpoolDisk = 200 << 10 })
			m, err := w.Receive(t.Context(), tt.r, tt.o)
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			}
			if (err == nil) != (tt.want == nil) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if err == nil {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if memory, disk := w.TestOnlySpooled(); memory != 0 || disk != 0 {
				t.Errorf("%d octets of memory and %d of disk were not given back", memory, disk)
			}
		})
	}
}

func TestReceiveStopsReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gate := func(o mailbox.GateOptions) mailbox.Judge {
		return refusal{mime.NewWalker(o.Walk), errors.New("no"), nil}
	}
	r := strings.NewReader(strings.Repeat("x", 1<<20))
	if _, err := w.Receive(t.Context(), r, mailbox.ReceiveOptions{Gate: gate}); !errors.Is(err, mailbox.ErrRefused) {
		t.Fatal(err)
	}
	if r.Len() < 1<<19 {
		t.Errorf("only %d octets are left to read after an early refusal", r.Len())
	}
}

func TestSpoolBusyMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *mailbox.Options) { o.Limits.SpoolMemory = 6 << 10 })
	first := w.receive(t, message("first", 0))
	if _, err := w.Receive(t.Context(), strings.NewReader(message("second", 0)), mailbox.ReceiveOptions{}); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("second message: %v, want ErrBusy", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	w.receive(t, message("third", 0))
}

func TestSpoolLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(o *mailbox.Options) { o.TempDir = dir })
	x, _ := w.owner(t, "b@example.org")
	text := message("secret-subject", 5000)
	m := w.receive(t, text)
	if _, disk := w.TestOnlySpooled(); disk != int64(len(text)) {
		t.Errorf("%d octets on disk, want %d", disk, len(text))
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("the spool file has a name: %v, %v", files, err)
	}
	if err := w.Deliver(t.Context(), addr.MustParse("a@example.net"), w.recipients(t, "b@example.org"), m); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, x, mailbox.Inbox)[1]; got != text {
		t.Errorf("%d octets arrived, want %d", len(got), len(text))
	}
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
}

// TestNothingInClear looks for what people wrote in all that lies on the disk.
func TestNothingInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "pseudonym@example.org")
	w.deliver(t, message("marker-subject", 3000), "pseudonym@example.org")
	w.deliver(t, message("marker-small", 0), "pseudonym@example.org")
	if _, err := x.Create(t.Context(), "marker-folder", mailbox.NoUse); err != nil {
		t.Fatal(err)
	}
	if _, err := x.FlagsOf(t.Context(), []string{"marker-keyword"}); err != nil {
		t.Fatal(err)
	}
	marks := []string{"marker-", "pseudonym", "example.net", "Line 00", "INBOX", "Archive", c.Secret, c.Recovery, c.Secret[8:]}
	err := filepath.WalkDir(filepath.Dir(w.path), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, mark := range marks {
			if bytes.Contains(content, []byte(mark)) {
				t.Errorf("%s holds %q", filepath.Base(path), mark)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range marks {
		if strings.Contains(w.log.String(), mark) {
			t.Errorf("the log holds %q", mark)
		}
	}
}

func TestDateKeepsItsZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	want := time.Date(1999, 12, 31, 23, 59, 58, 0, time.FixedZone("", -(3*60+30)*60))
	if _, err := x.Append(t.Context(), mailbox.Inbox, mailbox.Append{Message: w.receive(t, message("old", 0)), Date: want}); err != nil {
		t.Fatal(err)
	}
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		info, err := i.Info()
		if err == nil && info.Date.Format(time.RFC3339) != want.Format(time.RFC3339) {
			t.Errorf("date %v, want %v", info.Date, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

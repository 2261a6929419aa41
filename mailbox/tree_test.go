package mailbox_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// bare leaves the default folders out, so that tests see only their own.
func bare(o *mailbox.Options) { o.Folders = []mailbox.NewFolder{} }

// names lists the folders as "name", "name (use)", "+" if subscribed and "-" if it
// is no mailbox.
func names(tb testing.TB, x *mailbox.Session) []string {
	tb.Helper()
	folders, err := x.Folders(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, f := range folders {
		s := f.Name
		if f.Use != mailbox.NoUse {
			s += fmt.Sprintf(" (%d)", f.Use)
		}
		if f.Subscribed {
			s += "+"
		}
		if f.ID == 0 {
			s += "-"
		}
		list = append(list, s)
	}
	return list
}

func create(tb testing.TB, x *mailbox.Session, list ...string) {
	tb.Helper()
	for _, name := range list {
		if _, err := x.Create(tb.Context(), name, mailbox.NoUse); err != nil {
			tb.Fatalf("create %q: %v", name, err)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare, func(o *mailbox.Options) { o.Limits.Mailboxes = 6 })
	x, _ := w.owner(t, "b@example.org")
	tests := []struct {
		name, folder string
		use          mailbox.SpecialUse
		want         error
	}{
		{"plain", "a", mailbox.NoUse, nil},
		{"without its superior", "p/q/r", mailbox.NoUse, nil},
		{"delimiter at the end", "b/", mailbox.NoUse, nil},
		{"for a use", "Bin", mailbox.UseTrash, nil},
		{"the use is taken", "Bin2", mailbox.UseTrash, mailbox.ErrExists},
		{"exists", "a", mailbox.NoUse, mailbox.ErrExists},
		{"exists, decomposed or not", "b", mailbox.NoUse, mailbox.ErrExists},
		{"INBOX", "Inbox", mailbox.NoUse, mailbox.ErrExists},
		{"bad name", "a//b", mailbox.NoUse, mailbox.ErrName},
		{"two delimiters at the end", "c//", mailbox.NoUse, mailbox.ErrName},
		{"last", "inbox/child", mailbox.NoUse, nil},
		{"too many", "c", mailbox.NoUse, mailbox.ErrLimit},
	}
	for _, tt := range tests {
		m, err := x.Create(t.Context(), tt.folder, tt.use)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && (m.ID == 0 || m.UIDValidity == 0 || m.Use != tt.use) {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
	want := []string{"INBOX+", fmt.Sprintf("Bin (%d)", mailbox.UseTrash), "INBOX/child", "a", "b", "p/q/r"}
	if diff := cmp.Diff(want, names(t, x)); diff != "" {
		t.Error(diff)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	x, _ := w.owner(t, "b@example.org")
	create(t, x, "INBOX/Lists", "Entwürfe", "a")
	for name, want := range map[string]string{
		"inBOX": "INBOX", "inbox/Lists": "INBOX/Lists", "Entwu\u0308rfe": "Entwürfe", "a": "a",
		"A": "", "inbox/lists": "", "": "", "a/": "", "no": "", "a\x00": "",
	} {
		f, err := x.Folder(t.Context(), name)
		if f.Name != want || (want == "") != errors.Is(err, mailbox.ErrNoMailbox) {
			t.Errorf("Folder(%q) = %q, %v, want %q", name, f.Name, err, want)
		}
	}
	w.deliver(t, message("x", 0), "b@example.org")
	m, err := x.Status(t.Context(), "inbox")
	if err != nil || m.ID != mailbox.Inbox || m.Messages != 1 || m.UIDNext != 2 {
		t.Errorf("status %+v, %v", m, err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	x, _ := w.owner(t, "b@example.org")
	create(t, x, "a", "a/b")
	for _, c := range []struct {
		name string
		want error
	}{{"a", nil}, {"a", mailbox.ErrNoMailbox}, {"inbox", mailbox.ErrInbox}, {"no", mailbox.ErrNoMailbox}} {
		if err := x.Delete(t.Context(), c.name); !errors.Is(err, c.want) {
			t.Errorf("delete %q: %v, want %v", c.name, err, c.want)
		}
	}
	if diff := cmp.Diff([]string{"INBOX+", "a/b"}, names(t, x)); diff != "" {
		t.Error(diff)
	}
	old, err := x.Status(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	create(t, x, "a/b")
	again, err := x.Status(t.Context(), "a/b")
	if err != nil || again.UIDValidity <= old.UIDValidity || again.ID == old.ID {
		t.Errorf("made again: %+v, before: %+v, %v", again, old, err)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	x, _ := w.owner(t, "b@example.org")
	create(t, x, "a", "a/b", "a/b/c", "ab", "z", strings.Repeat("x", 120), strings.Repeat("x", 120)+"/"+strings.Repeat("y", 120))
	id := func(name string) mailbox.MailboxID {
		f, err := x.Folder(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return f.ID
	}
	child := id("a/b/c")
	tests := []struct {
		name, from, to string
		want           error
	}{
		{"with children", "a", "new/a", nil},
		{"unknown", "a", "b", mailbox.ErrNoMailbox},
		{"only a level of others", "new", "b", mailbox.ErrNoMailbox},
		{"taken", "ab", "z", mailbox.ErrExists},
		{"to itself", "z", "z", mailbox.ErrExists},
		{"to INBOX", "z", "inbox", mailbox.ErrExists},
		{"below itself", "new/a", "new/a/b/d", mailbox.ErrName},
		{"bad name", "z", "a//b", mailbox.ErrName},
		{"too long for a child", strings.Repeat("x", 120), strings.Repeat("w", 200), mailbox.ErrName},
		{"up a level", "new/a/b", "b/", nil},
		{"below INBOX", "z", "iNBOX/z", nil},
	}
	for _, tt := range tests {
		if err := x.Rename(t.Context(), tt.from, tt.to); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if got := id("b/c"); got != child {
		t.Errorf("id %d, before %d", got, child)
	}
	want := []string{"INBOX+", "INBOX/z", "ab", "b", "b/c", "new/a"}
	got := slices.DeleteFunc(names(t, x), func(s string) bool { return strings.HasPrefix(s, "x") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRenameInbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	x, _ := w.owner(t, "b@example.org")
	create(t, x, "INBOX/child", "taken")
	var want []string
	for i := range 3 {
		want = append(want, message(fmt.Sprint("m", i), 0))
		w.deliver(t, want[i], "b@example.org")
	}
	if err := x.Rename(t.Context(), "inbox", "taken"); !errors.Is(err, mailbox.ErrExists) {
		t.Errorf("to a name that is taken: %v, want ErrExists", err)
	}
	if err := x.Rename(t.Context(), "inbox", "old"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"INBOX+", "INBOX/child", "old", "taken"}, names(t, x)); diff != "" {
		t.Error(diff)
	}
	f, err := x.Folder(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	moved := slices.Sorted(maps.Values(texts(t, x, f.ID)))
	if diff := cmp.Diff(want, moved); diff != "" {
		t.Error(diff)
	}
	if left := texts(t, x, mailbox.Inbox); len(left) != 0 {
		t.Errorf("%d messages are left in INBOX", len(left))
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare, func(o *mailbox.Options) { o.Limits.Subscriptions = 3 })
	x, _ := w.owner(t, "b@example.org")
	create(t, x, "a")
	for _, c := range []struct {
		name string
		on   bool
		want error
	}{
		{"a", true, nil}, {"a/", true, nil}, {"no/such", true, nil}, {"more", true, mailbox.ErrLimit},
		{"a//b", true, mailbox.ErrName}, {"inBOX", false, nil}, {"never", false, nil},
	} {
		if err := x.Subscribe(t.Context(), c.name, c.on); !errors.Is(err, c.want) {
			t.Errorf("subscribe %q %v: %v, want %v", c.name, c.on, err, c.want)
		}
	}
	if diff := cmp.Diff([]string{"INBOX", "a+", "no/such+-"}, names(t, x)); diff != "" {
		t.Error(diff)
	}
	if err := x.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"INBOX", "a+-", "no/such+-"}, names(t, x)); diff != "" {
		t.Errorf("a subscription must outlive its mailbox (RFC 9051, 6.3.7): %s", diff)
	}
}

func TestKeywords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("x", 0), "b@example.org")
	flags := func(x *mailbox.Session, words ...string) mailbox.Flags {
		f, err := x.FlagsOf(t.Context(), words)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := flags(x, "$Forwarded", "NonJunk", "$FORWARDED")
	if diff := cmp.Diff([]string{"$Forwarded", "NonJunk"}, x.Names(f|mailbox.Seen)); diff != "" {
		t.Error(diff)
	}
	if got := flags(x, "nonjunk", "$forwarded"); got != f {
		t.Errorf("in another case: %b, want %b", got, f)
	}
	if _, err := x.FlagsOf(t.Context(), []string{`\Seen`}); !errors.Is(err, mailbox.ErrName) {
		t.Errorf("a system flag: %v, want ErrName", err)
	}
	if _, err := x.StoreFlags(t.Context(), mailbox.Inbox, mailbox.FlagChange{Set: mailbox.AllUIDs(), Flags: f}); err != nil {
		t.Fatal(err)
	}
	// Another node learns of them with the messages.
	node := w.newService(t)
	defer node.Close()
	y, err := node.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	table, err := y.Open(t.Context(), mailbox.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	row, _ := table.Row(1)
	if diff := cmp.Diff([]string{"$Forwarded", "NonJunk"}, y.Names(row.Flags)); diff != "" {
		t.Error(diff)
	}
	list, err := y.KeywordNames(t.Context())
	if diff := cmp.Diff([]string{"$Forwarded", "NonJunk"}, list); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestKeywordsMakeRoom: the dictionary is bounded, and a word that no message
// carries any more makes room for another.
func TestKeywordsMakeRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	w.deliver(t, message("x", 0), "b@example.org")
	var words []string
	for i := range mailbox.MaxKeywords {
		words = append(words, fmt.Sprint("word", i))
	}
	all, err := x.FlagsOf(t.Context(), words)
	if err != nil {
		t.Fatal(err)
	}
	store := func(mode mailbox.FlagMode, f mailbox.Flags) {
		if _, err := x.StoreFlags(t.Context(), mailbox.Inbox, mailbox.FlagChange{Set: mailbox.AllUIDs(), Mode: mode, Flags: f}); err != nil {
			t.Fatal(err)
		}
	}
	store(mailbox.AddFlags, all)
	if _, err := x.FlagsOf(t.Context(), []string{"one-more"}); !errors.Is(err, mailbox.ErrLimit) {
		t.Fatalf("beyond the limit: %v, want ErrLimit", err)
	}
	free := mailbox.KeywordFlag(7)
	freed := x.Names(free)
	store(mailbox.RemoveFlags, free)
	f, err := x.FlagsOf(t.Context(), []string{"one-more"})
	if err != nil || f != free {
		t.Fatalf("one more: %b, %v, want %b", f, err, free)
	}
	if diff := cmp.Diff([]string{"one-more"}, x.Names(free)); diff != "" {
		t.Error(diff)
	}
	store(mailbox.AddFlags, f)
	if _, err := x.FlagsOf(t.Context(), freed); !errors.Is(err, mailbox.ErrLimit) {
		t.Errorf("the word that was freed: %v, want ErrLimit", err)
	}
}

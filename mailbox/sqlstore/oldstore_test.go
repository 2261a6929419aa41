package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	goflag "flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// oldStore is what is known of a store that an earlier program made: the words that
// open its account, and what its owner saw. It stands in account.json beside the store.
type oldStore struct {
	Schema int
	User   string
	Words  struct{ Password, Device, Recovery string }
	Seen   []string

	dir string
}

// oldDay is when the stores were made, as far as they know.
var oldDay = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// oldClock is that of a program so many days later.
func oldClock(days int) func() time.Time {
	return func() time.Time { return oldDay.AddDate(0, 0, days) }
}

// serviceOn makes a service on a store, with keyOne's relay key.
func serviceOn(t *testing.T, s *Store) *mailbox.Service {
	t.Helper()
	service, err := mailbox.New(mailbox.Options{
		Store: s, Key: seal.NewRelayKey([32]byte{1}, s.ID()), Domain: "example.org", TempDir: t.TempDir(), Now: s.opts.Now,
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1}, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// loginTo opens a session until the end of the test.
func loginTo(t *testing.T, service *mailbox.Service, user, secret string) *mailbox.Session {
	t.Helper()
	x, err := service.Login(t.Context(), mailbox.Login{User: user, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// fillOld makes an account with something in each table of an owner's, so that an
// upgrade has all of it to carry: mail that was looked at, mail that was not, mail from
// before a change of keys, a large body, flags, a gap, and mail for another relay.
func fillOld(t *testing.T, service *mailbox.Service) oldStore {
	t.Helper()
	c, err := service.CreateAccount(t.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{Password: "four old words here"})
	must(t, err)
	x := loginTo(t, service, "b@example.org", c.Secret)
	device, err := x.AddDevice(t.Context(), "phone")
	must(t, err)
	archive, err := x.Create(t.Context(), "Archive/2026", mailbox.NoUse)
	must(t, err)
	for i, lines := range []int{1, 1000, 2} {
		deliverTo(t, service, i, lines)
	}
	_, err = x.Copy(t.Context(), mailbox.CopyRequest{From: mailbox.Inbox, To: archive.ID, Set: mailbox.AllUIDs()})
	must(t, err)
	_, err = x.Expunge(t.Context(), archive.ID, []mailbox.UIDRange{{Low: 1, High: 1}}, true)
	must(t, err)
	work, err := x.FlagsOf(t.Context(), []string{"$Work"})
	must(t, err)
	_, err = x.StoreFlags(t.Context(), mailbox.Inbox, mailbox.FlagChange{Set: []mailbox.UIDRange{{Low: 2, High: 2}}, Mode: mailbox.AddFlags, Flags: mailbox.Seen | work})
	must(t, err)
	must(t, x.SetMetadata(t.Context(), archive.ID, mailbox.Entry{Name: "/private/comment", Value: []byte("taxes")}))
	fillNewer(t, service, x)
	x = loginTo(t, service, "b@example.org", c.Secret)
	deliverTo(t, service, 3, 1)
	sendAway(t, service)
	was := oldStore{User: "b@example.org", Seen: ownerSees(t, service, x)}
	was.Words.Password, was.Words.Device, was.Words.Recovery = c.Secret, device, c.Recovery
	return was
}

// fillNewer has what came after schema 5.
func fillNewer(t *testing.T, service *mailbox.Service, x *mailbox.Session) {
	t.Helper()
	alias := addr.MustParse("other@example.org")
	must(t, x.AddAlias(t.Context(), alias))
	must(t, service.Publish(t.Context(), x.Account(), alias, mailbox.Certificate{Bytes: []byte("a certificate"), Fingerprint: "fingerprint"}))
	must(t, x.Block(t.Context(), "spam@example.net"))
	_, err := x.AddKeepingDevice(t.Context(), "tablet")
	must(t, err)
	must(t, x.Rotate(t.Context()))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// oldMessage is the mail of a number, with so many lines.
func oldMessage(number, lines int) string {
	return fmt.Sprintf("From: a@example.net\r\nTo: b@example.org\r\nMessage-ID: <%d@example.net>\r\nContent-Type: text/plain\r\n\r\n%s",
		number, strings.Repeat("One of the lines of a text that is long enough to be worth one, or more than one.\r\n", lines))
}

func deliverTo(t *testing.T, service *mailbox.Service, number, lines int) {
	t.Helper()
	m, err := service.Receive(t.Context(), strings.NewReader(oldMessage(number, lines)), mailbox.ReceiveOptions{})
	must(t, err)
	defer m.Close()
	to, err := service.Recipient(t.Context(), addr.MustParse("b@example.org"), 0)
	must(t, err)
	must(t, service.Deliver(t.Context(), addr.MustParse("a@example.net"), []mailbox.Recipient{to}, m))
}

// sendAway puts a letter into the queue.
func sendAway(t *testing.T, service *mailbox.Service) {
	t.Helper()
	m, err := service.Receive(t.Context(), strings.NewReader(oldMessage(9, 1)), mailbox.ReceiveOptions{})
	must(t, err)
	defer m.Close()
	to := mailbox.Sending{To: []mailbox.Addressee{{Address: addr.MustParse("c@elsewhere.example")}}}
	must(t, service.Dispatch(t.Context(), addr.MustParse("b@example.org"), nil, to, m))
}

// ownerSees is all of an account as its owner sees it, a line for each thing.
func ownerSees(t *testing.T, service *mailbox.Service, x *mailbox.Session) (seen []string) {
	t.Helper()
	folders, err := x.Folders(t.Context())
	must(t, err)
	for _, f := range folders {
		m := f.Mailbox
		seen = append(seen, fmt.Sprintf("%s: UIDVALIDITY %d UIDNEXT %d", f.Name, m.UIDValidity, m.UIDNext))
		seen = append(seen, messagesIn(t, x, f.Name, m.ID)...)
		entries, err := x.Metadata(t.Context(), m.ID)
		must(t, err)
		for _, e := range entries {
			seen = append(seen, fmt.Sprintf("%s: %s is %s", f.Name, e.Name, e.Value))
		}
	}
	seen = append(seen, devicesOf(t, x)...)
	return append(seen, newerOf(t, service, x)...)
}

// messagesIn tells UID, flags and text of each message.
func messagesIn(t *testing.T, x *mailbox.Session, name string, mbox mailbox.MailboxID) (seen []string) {
	t.Helper()
	_, err := x.KeywordNames(t.Context())
	must(t, err)
	changes, err := x.Changes(t.Context(), mbox, 0)
	must(t, err)
	flags := map[mailbox.UID][]string{}
	for _, r := range changes.Rows {
		flags[r.UID] = x.Names(r.Flags)
		if r.Flags&mailbox.Seen != 0 {
			flags[r.UID] = append(flags[r.UID], "seen")
		}
	}
	must(t, x.Fetch(t.Context(), mbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		body, err := i.Body(t.Context())
		if err != nil {
			return err
		}
		defer body.Close()
		text := make([]byte, body.Size())
		if _, err := body.ReadAt(text, 0); err != nil {
			return err
		}
		seen = append(seen, fmt.Sprintf("%s: message %d %v, %d bytes, %x", name, i.UID, flags[i.UID], len(text), sha256.Sum256(text)))
		return nil
	}))
	return seen
}

func devicesOf(t *testing.T, x *mailbox.Session) (seen []string) {
	t.Helper()
	list, err := x.Devices(t.Context())
	must(t, err)
	for _, d := range list {
		seen = append(seen, "device "+d.Label)
	}
	slices.Sort(seen)
	return seen
}

// newerOf tells of what came after schema 5.
func newerOf(t *testing.T, service *mailbox.Service, x *mailbox.Session) (seen []string) {
	t.Helper()
	aliases, err := x.Aliases(t.Context())
	must(t, err)
	for _, a := range aliases {
		seen = append(seen, fmt.Sprintf("address %s %q", a.Address.String(), a.Certificate))
	}
	blocked, err := x.BlockedSenders(t.Context())
	must(t, err)
	for _, b := range blocked {
		seen = append(seen, "blocks "+b.Sender)
	}
	return append(seen, queuedIn(t, service)...)
}

// queuedIn tells whereto letters go, and how long they are.
func queuedIn(t *testing.T, service *mailbox.Service) (seen []string) {
	t.Helper()
	out := service.Outbox()
	must(t, out.Each(t.Context(), func(l *mailbox.Letter) error {
		body, err := out.Open(t.Context(), l)
		if err != nil {
			return err
		}
		defer body.Close()
		n, err := io.Copy(io.Discard, body)
		seen = append(seen, fmt.Sprintf("%d bytes wait for %s", n, l.Domain))
		return err
	}))
	return seen
}

// keepStore has the tests make what later programs are tried with.
var keepStore = goflag.Bool("keep-store", false, "keep a store of the newest schema in testdata")

// keepOldStore makes a store of the newest schema, unless one is kept already, and has
// pack put it into testdata.
func keepOldStore(t *testing.T, o Options, engine string, pack func(dir string)) {
	t.Helper()
	dir := filepath.Join("testdata", fmt.Sprintf("schema-%04d", len(migrations)), engine)
	if _, err := os.Stat(dir); err == nil {
		return
	}
	o.Now = oldClock(0)
	s := open(t, o)
	service := serviceOn(t, s)
	was := fillOld(t, service)
	was.Schema = len(migrations)
	must(t, service.Close())
	must(t, s.Close())
	b, err := json.MarshalIndent(was, "", "  ")
	must(t, err)
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "account.json"), append(b, '\n'), 0o644))
	pack(dir)
}

// oldStores returns the stores that are kept for an engine, and fails if there is none
// of the newest schema.
func oldStores(t *testing.T, engine string) (list []oldStore) {
	t.Helper()
	files, err := filepath.Glob("testdata/schema-*/" + engine + "/account.json") // sorted
	must(t, err)
	newest := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		was := oldStore{dir: filepath.Dir(file)}
		must(t, json.Unmarshal(b, &was))
		list, newest = append(list, was), was.Schema
	}
	if newest != len(migrations) {
		t.Errorf("no store of schema %d is kept for later programs to try: run go test -run TestMigrateFixtures ./mailbox/sqlstore -keep-store, "+
			"and commit testdata/schema-%04d", len(migrations), len(migrations))
	}
	return list
}

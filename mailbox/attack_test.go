package mailbox_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// sql changes the store behind its back, as somebody who has the disk would.
func (w *world) sql(t *testing.T, statements ...string) {
	t.Helper()
	driver := "sqlite" // the one that needs no C
	if slices.Contains(sql.Drivers(), "sqlite3") {
		driver = "sqlite3"
	}
	db, err := sql.Open(driver, w.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // temporary tables belong to a connection
	if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000"); err != nil {
		t.Fatal(err) // the store may be in the midst of a transaction
	}
	for _, s := range statements {
		r, err := db.ExecContext(t.Context(), s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 && strings.HasPrefix(s, "UPDATE") {
			t.Fatalf("%s: changed %d rows, %v", s, n, err)
		}
	}
}

// swap exchanges columns of two rows.
func swap(table, columns, one, two string) []string {
	return []string{
		"CREATE TEMP TABLE kept AS SELECT " + columns + " FROM " + table + " WHERE " + one,
		"UPDATE " + table + " SET (" + columns + ") = (SELECT " + columns + " FROM " + table + " WHERE " + two + ") WHERE " + one,
		"UPDATE " + table + " SET (" + columns + ") = (SELECT " + columns + " FROM kept) WHERE " + two,
		"DROP TABLE kept",
	}
}

// flip changes one octet of a column, counted from the end if it is negative.
func flip(table, column, where string, at string) string {
	return "UPDATE " + table + " SET " + column + " = CAST(substr(" + column + ", 1, " + at + ") || " +
		"CASE WHEN substr(" + column + ", " + at + " + 1, 1) = x'41' THEN x'42' ELSE x'41' END || " +
		"substr(" + column + ", " + at + " + 2) AS BLOB) WHERE " + where
}

const (
	ofB     = "account_id = (SELECT account_id FROM account ORDER BY account_id LIMIT 1)"
	ofC     = "account_id = (SELECT account_id FROM account ORDER BY account_id DESC LIMIT 1)"
	inbox   = " AND mailbox_id = 1 AND uid = "
	blobOf  = " AND blob_id = (SELECT blob_id FROM message WHERE "
	firstB  = ofB + inbox + "1"
	secondB = ofB + inbox + "2"
	firstC  = ofC + inbox + "1"
)

// TestDamagedRowsNeverGiveWrongMail moves, mixes and changes what is stored. What
// was touched must give ErrCorrupt, or the mail that it was; what was not must be
// read as before.
func TestDamagedRowsNeverGiveWrongMail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		attack []string
		stages []mailbox.Stage // at which it must be noticed
	}{
		{"keys of two messages", swap("sealed", "key_ct", firstB, secondB), both},
		{"keys of two accounts", swap("sealed", "key_ct", firstB, firstC), both},
		{"envelopes of two messages", swap("sealed", "env_ct", firstB, secondB), both},
		{"envelopes of two accounts", swap("sealed", "env_ct", firstB, firstC), both},
		{"keys and envelopes of two messages", swap("sealed", "key_ct, env_ct", firstB, secondB), both},
		{"blobs of two messages", swap("message", "blob_id", firstB, secondB), both},
		{"bodies of two messages", swap("body", "data", ofB+blobOf+firstB+")", ofB+blobOf+secondB+")"), both},
		{"bodies of two accounts", swap("body", "data", ofB+blobOf+firstB+")", ofC+blobOf+firstC+")"), both},
		{"whole rows of two messages", append(swap("sealed", "key_ct, env_ct", firstB, secondB), swap("message", "blob_id", firstB, secondB)...), wrapped},
		{"a bit of a key", []string{flip("sealed", "key_ct", firstB, "20")}, both},
		{"the generation in a key", []string{flip("sealed", "key_ct", firstB, "4")}, both},
		{"a bit of an envelope", []string{flip("sealed", "env_ct", firstB, "40")}, both},
		{"a bit of a body", []string{flip("body", "data", ofB+blobOf+firstB+")", "40")}, both},
		{"the end of a body", []string{"UPDATE body SET data = substr(data, 1, length(data) - 16) WHERE " + ofB + blobOf + firstB + ")"}, both},
		{"a longer body", []string{"UPDATE body SET data = CAST(data || x'00' AS BLOB) WHERE " + ofB + blobOf + firstB + ")"}, both},
		{"the stage", []string{"UPDATE message SET stage = 1 - stage WHERE " + firstB}, both},
		{"the generation", []string{"UPDATE message SET generation = 2 WHERE " + firstB}, both},
		{"an empty key", []string{"UPDATE sealed SET key_ct = x'' WHERE " + firstB}, both},
		{"an empty envelope", []string{"UPDATE sealed SET env_ct = x'' WHERE " + firstB}, both},
	}
	for _, tt := range tests {
		for _, stage := range both {
			t.Run(tt.name+" at stage "+[]string{"0", "1"}[stage], func(t *testing.T) {
				t.Parallel()
				w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
				x := w.victims(t, stage)
				want := texts(t, x, mailbox.Inbox)
				w.sql(t, tt.attack...)
				noticed := w.readDamaged(t, x, want)
				if should := slices.Contains(tt.stages, stage); noticed != should {
					t.Errorf("noticed: %v, want %v", noticed, should)
				}
			})
		}
	}
}

var (
	both    = []mailbox.Stage{mailbox.StageSealed, mailbox.StageWrapped}
	wrapped = []mailbox.Stage{mailbox.StageWrapped}
)

// victims makes two accounts with mail and returns a session of the one whose rows
// come first.
func (w *world) victims(t *testing.T, stage mailbox.Stage) *mailbox.Session {
	t.Helper()
	b, c := w.account(t, "b@example.org"), w.account(t, "c@example.org")
	if b.Account > c.Account {
		b, c = c, b
	}
	for _, subject := range []string{"one", "two", "three"} {
		w.deliver(t, message(subject, 0), b.Address.String())
		w.deliver(t, message(subject+"-too", 0), c.Address.String())
	}
	for _, a := range []mailbox.Created{c, b} {
		x := w.login(t, a)
		if stage == mailbox.StageWrapped {
			open(t, x, mailbox.Inbox)
			until(t, func() bool { return w.stages(t, x, mailbox.Inbox)[mailbox.StageWrapped] == 3 })
		}
	}
	return w.login(t, b)
}

// readDamaged reads all messages, and reports whether one was found damaged.
func (w *world) readDamaged(t *testing.T, x *mailbox.Session, want map[mailbox.UID]string) (noticed bool) {
	t.Helper()
	read := 0
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		text, err := textOf(t.Context(), i)
		switch {
		case errors.Is(err, mailbox.ErrCorrupt) && strings.Contains(err.Error(), fmt.Sprintf("mailbox 1, message %d:", i.UID)):
			noticed = true
		case err != nil:
			t.Errorf("message %d: %v, want ErrCorrupt that names the row", i.UID, err)
		case !slices.Contains([]string{want[1], want[2], want[3]}, text):
			t.Errorf("message %d has become %q", i.UID, text)
		case text == want[i.UID]:
			read++
		}
		if i.UID == 3 && text != want[3] {
			t.Errorf("the message nobody touched: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if noticed && read == 0 {
		t.Error("no message could be read any more")
	}
	return noticed
}

func TestDamagedNames(t *testing.T) {
	t.Parallel()
	w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false, bare)
	x, _ := w.owner(t, "b@example.org")
	create(t, x, "one", "two")
	w.sql(t, "UPDATE mailbox SET name_ct = (SELECT name_ct FROM mailbox WHERE mailbox_id = 3) WHERE mailbox_id = 2")
	if got := names(t, x); !slices.Equal(got, []string{"INBOX+", "damaged-2", "two"}) {
		t.Errorf("folders %q", got)
	}
	if err := x.Rename(t.Context(), "damaged-2", "mended"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, x); !slices.Equal(got, []string{"INBOX+", "mended", "two"}) {
		t.Errorf("folders %q", got)
	}
	if _, err := x.FlagsOf(t.Context(), []string{"first", "second"}); err != nil {
		t.Fatal(err)
	}
	w.sql(t, flip("subscription", "name_ct", "1 = 1", "30"), flip("keyword", "name_ct", "n = 0", "30"))
	if got := names(t, x); !slices.Equal(got, []string{"INBOX", "mended", "two"}) {
		t.Errorf("folders without a subscription that opens: %q", got)
	}
	create(t, x, "three") // a change, for the dictionary to be read anew
	if got, err := x.KeywordNames(t.Context()); err != nil || !slices.Equal(got, []string{"second"}) {
		t.Errorf("keywords %q, %v", got, err)
	}
	for _, line := range []string{"mailbox name does not open", "subscription does not open", "keyword entry does not open"} {
		if !strings.Contains(w.log.String(), line) {
			t.Errorf("the log does not say that a %s", line)
		}
	}
}

func TestDamagedAccounts(t *testing.T) {
	t.Parallel()
	w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
	b, c := w.account(t, "b@example.org"), w.account(t, "c@example.org")
	x := w.login(t, c)
	w.sql(t, fmt.Sprintf("UPDATE address SET account_id = %d, n = 99 WHERE account_id = %d", c.Account, b.Account))
	if _, err := w.FindAccount(t.Context(), "b"); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("an address given to another account: %v, want ErrCorrupt", err)
	}
	if _, err := x.Addresses(t.Context()); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("addresses of that account: %v, want ErrCorrupt", err)
	}
	if _, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: b.Secret}); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("login to that account: %v, want ErrAuth", err)
	}
}

func TestDamagedCredentials(t *testing.T) {
	t.Parallel()
	for _, column := range []string{"wrapped", "kdf", "verifier"} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
			c := w.account(t, "b@example.org")
			w.sql(t, flip("credential", column, "kind = 0", "10"))
			_, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
			if !errors.Is(err, mailbox.ErrCorrupt) && !errors.Is(err, mailbox.ErrAuth) {
				t.Errorf("got %v, want ErrCorrupt or ErrAuth", err)
			}
			w.clock.advance(time.Minute)
			if _, err := w.SetPassword(t.Context(), c.Account, c.Recovery, "new"); err != nil {
				t.Errorf("the recovery code must still do: %v", err)
			}
		})
	}
}

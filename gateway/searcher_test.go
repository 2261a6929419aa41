package gateway

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// TestSearch: the client finds words in mail that was encrypted, in mail that the index
// has and in mail that it does not have yet, and nothing of it is in clear on the disk.
func TestSearch(t *testing.T) {
	t.Parallel()
	h := newHome(t, providers["relay"](t))
	h.keepMany(t, 140)
	must(t, h.searcher.round(t.Context()))
	if blobs := h.files(t); blobs == 0 {
		t.Fatal("there is no index: the test tries nothing")
	}
	h.keepHere(t, "INBOX", 1, 0) // the index does not have it yet

	ln := listenLoopback(t)
	serve(t, func(ctx context.Context) error { return h.ServeIMAP(ctx, ln) })
	c := h.mailClient(t, ln.Addr().String())
	_, err := c.Select("INBOX", nil).Wait()
	must(t, err)
	for _, test := range []struct {
		what *imap.SearchCriteria
		want int
	}{
		{&imap.SearchCriteria{Body: []string{"QUOKKA3"}}, 20},
		{&imap.SearchCriteria{Text: []string{"quokka"}}, 140},
		{&imap.SearchCriteria{Text: []string{"mail-1"}}, 1},
		{&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "SUBJECT", Value: "letter 13"}}}, 11},
		{&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "FROM", Value: "bob"}}}, 140},
		{&imap.SearchCriteria{Body: []string{"bob@x.test"}}, 0},
	} {
		found, err := c.UIDSearch(test.what, nil).Wait()
		must(t, err)
		if got := len(found.AllUIDs()); got != test.want {
			t.Errorf("%+v: %d messages, want %d", test.what, got, test.want)
		}
	}
	h.scan(t, "quokka", "letter 13", "garden")
}

// keepMany stores mails in the local INBOX, at once.
func (h *home) keepMany(t *testing.T, count int) {
	t.Helper()
	var list []mailbox.Append
	for n := range count {
		mail := fmt.Sprintf("From: <bob@x.test>\r\nSubject: letter %d\r\n\r\nAbout the quokka%d in the garden.\r\n", n, n%7)
		m, err := h.Local().Service.Receive(t.Context(), strings.NewReader(mail), mailbox.ReceiveOptions{})
		must(t, err)
		defer m.Close()
		list = append(list, mailbox.Append{Message: m})
	}
	_, err := h.Local().Session.Append(t.Context(), mailbox.Inbox, list...)
	must(t, err)
}

// files returns how many large files the vault has.
func (h *home) files(t *testing.T) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(h.options.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 8<<10 {
			n++
		}
		return err
	}))
	return n
}

// TestSearcherFollows: mail that comes while the gateway runs comes into the index.
func TestSearcherFollows(t *testing.T) {
	t.Parallel()
	h := newHome(t, providers["relay"](t))
	before := h.files(t)
	serve(t, h.searcher.run)
	h.keepMany(t, 140)
	deadline := time.After(testTimeout)
	for h.files(t) == before {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("no block of the index was made")
		}
	}
}

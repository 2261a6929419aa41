package imapd_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/go-cmp/cmp"
)

// TestImapclientMessages has go-imap's client write, find, change and move messages.
func TestImapclientMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	c, err := imapclient.DialInsecure(w.address, nil)
	must(t, err)
	defer c.Close()
	must(t, c.Login("b@example.org", created.Secret).Wait())
	for _, subject := range []string{"one", "two", "three"} {
		appendByClient(t, c, subject)
	}
	_, err = c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	must(t, err)
	fetchByClient(t, c)
	searchByClient(t, c)
	storeByClient(t, c)
	moveByClient(t, c)
	must(t, c.Logout().Wait())
}

func appendByClient(t *testing.T, c *imapclient.Client, subject string) {
	t.Helper()
	text := message(subject)
	a := c.Append("INBOX", int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagFlagged, "$Work"}, Time: today.Add(-24 * time.Hour)})
	if _, err := a.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	must(t, a.Close())
	data, err := a.Wait()
	must(t, err)
	if data.UID == 0 || data.UIDValidity == 0 {
		t.Errorf("APPEND: %+v", data)
	}
}

func fetchByClient(t *testing.T, c *imapclient.Client) {
	t.Helper()
	fields := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Subject", "X-None"}, Peek: true}
	binary := &imap.FetchItemBinarySection{Part: []int{1}, Peek: true}
	messages, err := c.Fetch(imap.SeqSetNum(2), &imap.FetchOptions{
		Flags: true, UID: true, InternalDate: true, RFC822Size: true, Envelope: true, ModSeq: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection:   []*imap.FetchItemBodySection{fields}, BinarySection: []*imap.FetchItemBinarySection{binary},
		BinarySectionSize: []*imap.FetchItemBinarySectionSize{{Part: []int{1}}},
	}).Collect()
	must(t, err)
	if len(messages) != 1 {
		t.Fatalf("FETCH: %d messages", len(messages))
	}
	m := messages[0]
	text := message("two")
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	if m.UID != 2 || m.ModSeq == 0 || m.RFC822Size != int64(len(text)) || !m.InternalDate.Equal(today.Add(-24*time.Hour)) {
		t.Errorf("FETCH: %+v", m)
	}
	if got, want := m.Flags, []imap.Flag{imap.FlagFlagged, wireRecent, "$Work"}; !cmp.Equal(got, want) {
		t.Errorf("FLAGS: %v, want %v", got, want)
	}
	if got := m.BodyStructure.MediaType(); m.Envelope.Subject != "two" || got != "text/plain" {
		t.Errorf("ENVELOPE %+v, a body of %s", m.Envelope, got)
	}
	if got, want := string(m.FindBodySection(fields)), "Subject: two\r\n\r\n"; got != want {
		t.Errorf("HEADER.FIELDS: %q, want %q", got, want)
	}
	if got := string(m.FindBinarySection(binary)); got != body || m.BinarySectionSize[0].Size != uint32(len(body)) {
		t.Errorf("BINARY: %q, %+v, want %q", got, m.BinarySectionSize, body)
	}
}

// wireRecent is the session flag of IMAP4rev1.
const wireRecent imap.Flag = `\Recent`

func searchByClient(t *testing.T, c *imapclient.Client) {
	t.Helper()
	for name, test := range map[string]struct {
		criteria imap.SearchCriteria
		want     []imap.UID
	}{
		"flags":   {imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged, "$work"}, NotFlag: []imap.Flag{imap.FlagSeen}}, []imap.UID{1, 2, 3}},
		"header":  {imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "T"}}}, []imap.UID{2, 3}},
		"text":    {imap.SearchCriteria{Body: []string{"this is"}, Not: []imap.SearchCriteria{{Text: []string{"three"}}}}, []imap.UID{1, 2}},
		"dates":   {imap.SearchCriteria{Since: today, SentSince: today}, nil},
		"size":    {imap.SearchCriteria{Larger: int64(len(message("two")))}, []imap.UID{3}},
		"or":      {imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{UID: []imap.UIDSet{imap.UIDSetNum(1)}}, {SeqNum: []imap.SeqSet{imap.SeqSetNum(3)}}}}}, []imap.UID{1, 3}},
		"nothing": {imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "X-None"}}}, nil},
	} {
		data, err := c.UIDSearch(&test.criteria, nil).Wait()
		if err != nil {
			t.Fatalf("SEARCH by %s: %v", name, err)
		}
		if diff := cmp.Diff(data.AllUIDs(), test.want); diff != "" {
			t.Errorf("SEARCH by %s:\n%s", name, diff)
		}
	}
	data, err := c.Search(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnMin: true, ReturnMax: true, ReturnCount: true}).Wait()
	must(t, err)
	if data.Min != 1 || data.Max != 3 || data.Count != 3 {
		t.Errorf("ESEARCH: %+v", data)
	}
}

func storeByClient(t *testing.T, c *imapclient.Client) {
	t.Helper()
	messages, err := c.Store(imap.UIDSetNum(1, 3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Collect()
	must(t, err)
	for _, m := range messages {
		if got, want := m.Flags, []imap.Flag{imap.FlagFlagged, imap.FlagDeleted, wireRecent, "$Work"}; !cmp.Equal(got, want) {
			t.Errorf("STORE: %v, want %v", got, want)
		}
	}
	if len(messages) != 2 {
		t.Errorf("STORE: %d answers", len(messages))
	}
}

func moveByClient(t *testing.T, c *imapclient.Client) {
	t.Helper()
	copied, err := c.Copy(imap.SeqSetNum(1, 2), "Archive").Wait()
	must(t, err)
	if !cmp.Equal(copied.SourceUIDs, imap.UIDSetNum(1, 2)) || !cmp.Equal(copied.DestUIDs, imap.UIDSetNum(1, 2)) {
		t.Errorf("COPY: %+v", copied)
	}
	moved, err := c.Move(imap.UIDSetNum(2), "Archive").Wait()
	must(t, err)
	if !cmp.Equal(moved.SourceUIDs, imap.NumSet(imap.UIDSetNum(2))) || !cmp.Equal(moved.DestUIDs, imap.NumSet(imap.UIDSetNum(3))) {
		t.Errorf("MOVE: %+v", moved)
	}
	numbers, err := c.UIDExpunge(imap.UIDSetNum(3)).Collect()
	must(t, err)
	if diff := cmp.Diff(numbers, []uint32{2}); diff != "" {
		t.Errorf("UID EXPUNGE:\n%s", diff)
	}
	_, err = c.Copy(imap.SeqSetNum(1), "Nowhere").Wait()
	if e, ok := err.(*imap.Error); !ok || e.Code != imap.ResponseCodeTryCreate {
		t.Errorf("COPY to nowhere: %v", err)
	}
}

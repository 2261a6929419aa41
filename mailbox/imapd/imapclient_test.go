package imapd_test

import (
	"bytes"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/google/go-cmp/cmp"
)

// TestImapclient has go-imap's client do what a mail client does, under TLS.
func TestImapclient(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	created := w.account(t, "b@example.org")
	arrived := make(chan uint32, 1)
	_, config := testTLS()
	c, err := imapclient.DialStartTLS(w.address, &imapclient.Options{TLSConfig: config, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil && *data.NumMessages > 1 {
				arrived <- *data.NumMessages
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	must(t, c.Authenticate(sasl.NewPlainClient("", "b@example.org", created.Secret)))
	if _, err := c.Enable(imap.CapUTF8Accept).Wait(); err != nil {
		t.Fatal(err)
	}
	must(t, c.Create("Büro/Späße", nil).Wait())
	must(t, c.Subscribe("Büro/Späße").Wait())
	listNames(t, c, []string{"Büro/Späße"})
	must(t, w.deliver(t.Context(), "b@example.org", message("one")))
	selected, err := c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	must(t, err)
	if selected.NumMessages != 1 || selected.UIDNext != 2 || selected.HighestModSeq == 0 {
		t.Errorf("SELECT: %+v", selected)
	}
	idle, err := c.Idle()
	must(t, err)
	must(t, w.deliver(t.Context(), "b@example.org", message("two")))
	if got := <-arrived; got != 2 {
		t.Errorf("IDLE told of %d messages, want 2", got)
	}
	must(t, idle.Close())
	must(t, idle.Wait())
	status, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, UIDNext: true, NumUnseen: true, AppendLimit: true}).Wait()
	must(t, err)
	if *status.NumMessages != 2 || status.UIDNext != 3 || *status.NumUnseen != 2 || *status.AppendLimit != 31_457_280 {
		t.Errorf("STATUS: %+v", status)
	}
	fetchTwo(t, c)
	must(t, c.UnselectAndExpunge().Wait())
	must(t, c.Logout().Wait())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listNames expects these user-made mailboxes.
func listNames(t *testing.T, c *imapclient.Client, want []string) {
	t.Helper()
	list, err := c.List("", "B*", &imap.ListOptions{SelectSubscribed: true, ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	must(t, err)
	var got []string
	for _, l := range list {
		got = append(got, l.Mailbox)
		if l.Status == nil || l.Status.NumMessages == nil || *l.Status.NumMessages != 0 {
			t.Errorf("%s: status %+v", l.Mailbox, l.Status)
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// fetchTwo reads the second message.
func fetchTwo(t *testing.T, c *imapclient.Client) {
	t.Helper()
	section := &imap.FetchItemBodySection{Peek: true}
	messages, err := c.Fetch(imap.UIDSetNum(2), &imap.FetchOptions{Envelope: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	must(t, err)
	if len(messages) != 1 || messages[0].Envelope.Subject != "two" {
		t.Fatalf("FETCH: %+v", messages)
	}
	if got, want := messages[0].FindBodySection(section), []byte(message("two")); !bytes.Equal(got, want) {
		t.Errorf("body: %q, want %q", got, want)
	}
}

package wire

import (
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	newAndGone := EventMessageNew | EventMessageExpunge
	for in, want := range map[string]Notify{
		"NONE": {},
		// RFC 5465, 3.1, which does without parentheses
		"set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) (subtree Lists MessageNew)": {
			Status: true,
			Groups: []NotifyGroup{
				{Filter: FilterSelected, Events: newAndGone, Fetch: &Fetch{
					Items: FetchUID, ChangedSince: -1,
					Sections: []Section{{Kind: SectionBody, FetchItemBodySection: imap.FetchItemBodySection{
						Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"from", "to", "subject"}, Peek: true,
					}}},
				}},
				{Filter: FilterSubtree, Mailboxes: []string{"Lists"}, Events: EventMessageNew},
			},
		},
		// RFC 5465, 6
		"set (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))": {Groups: []NotifyGroup{
			{Filter: FilterMailboxes, Mailboxes: []string{"INBOX"}, Events: newAndGone},
			{Filter: FilterPersonal, Events: EventSubscriptionChange},
		}},
		`SET (SELECTED-DELAYED NONE) (mailboxes (a "b c") (MailboxName MailboxMetadataChange)) (inboxes ServerMetadataChange) (subscribed (AnnotationChange FlagChange))`: {
			Groups: []NotifyGroup{
				{Filter: FilterSelectedDelayed},
				{Filter: FilterMailboxes, Mailboxes: []string{"a", "b c"}, Events: EventMailboxName | EventMailboxMetadataChange},
				{Filter: FilterInboxes, Events: EventServerMetadataChange},
				{Filter: FilterSubscribed, Events: EventFlagChange | EventUnknown},
			},
		},
	} {
		d := decode(t, in+"\r\n", Options{})
		got := d.Notify()
		if err := d.End(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
		again := decode(t, encode(t, func(e *Encoder) { e.Notify(&got) })+"\r\n", Options{})
		if diff := cmp.Diff(want, again.Notify()); diff != "" {
			t.Errorf("%q, written and read (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{
		"", "ALL", "SET", "SET ", "SET STATUS", "SET (selected)", "SET (selected ())", "SET (nowhere NONE)", "SET (mailboxes NONE)",
		"SET (mailboxes () NONE)", "SET (selected MessageNew (uid)", "SET (selected MessageNew ())", "NONE (selected NONE)",
	} {
		d := decode(t, in+"\r\n", Options{})
		d.Notify()
		if d.End() == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

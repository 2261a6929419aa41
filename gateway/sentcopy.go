package gateway

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

// Of what the user has sent, the mailbox Sent has one copy for each Message-ID. The
// user's client stores one; some providers store another by themselves, or one for
// each recipient of Bcc; and a client that missed the answer stores its own twice.

// sentTwin looks for the local copy of a mail of the user's that has come to Sent on
// the server. It reports true if there is one: both are one mail then, or, if that is
// on the server already, the newcomer is removed there. Only a good signature of the
// user's makes it so: nobody else can have mail of the user's removed.
func (c *cycle) sentTwin(ctx context.Context, p *pair, n *newcomer) (bool, error) {
	if n.opened.State != Own {
		return false, nil
	}
	ids, err := c.sentIDs(ctx, p)
	if err != nil {
		return false, err
	}
	here := ids[n.opened.page.messageID()]
	e := p.ledger.local[here]
	switch {
	case here == 0:
		return false, nil
	case e == nil: // they have agreed on no flags yet: each side's count
		id, err := c.id(ctx, p, here)
		p.ledger.add(&entry{Remote: n.uid, Local: here, ID: id, Digest: n.digest})
		return true, err
	case e.Remote == 0 || !p.look.has(e.Remote):
		p.ledger.found(e, n.uid, n.digest)
		return true, nil
	}
	p.look.take(n.uid)
	return true, c.r.remove(p.far, []imap.UID{n.uid})
}

// dropSentTwin deletes a local message of Sent if an earlier one is the same mail. It
// reports whether it did.
func (c *cycle) dropSentTwin(ctx context.Context, p *pair, uid mailbox.UID) (bool, error) {
	ids, err := c.sentIDs(ctx, p)
	if err != nil || ids == nil {
		return false, err
	}
	id := ""
	if _, err := c.item(ctx, p, uid, func(i *mailbox.Item) (err error) {
		id, err = messageIDOf(i)
		return err
	}); err != nil {
		return false, err
	}
	if first := ids[id]; first == 0 || first == uid {
		return false, nil
	}
	delete(p.rows, uid)
	_, err = c.local.Session.Expunge(ctx, p.box, one(uid), true)
	return err == nil, err
}

// sentIDs returns the oldest message of each Message-ID in the local mailbox, if that
// is the one for sent mail; nil for others. It is read once a cycle.
func (c *cycle) sentIDs(ctx context.Context, p *pair) (map[string]mailbox.UID, error) {
	if p.sent != nil || p.box == 0 {
		return p.sent, nil
	}
	folders, err := c.folders(ctx)
	if err != nil || folders[p.ledger.Name].Use != mailbox.UseSent {
		return nil, err
	}
	p.sent = map[string]mailbox.UID{}
	err = c.local.Session.Fetch(ctx, p.box, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		id, err := messageIDOf(i)
		if err == nil && id != "" && p.sent[id] == 0 {
			p.sent[id] = i.UID
		}
		return err
	})
	return p.sent, err
}

func messageIDOf(i *mailbox.Item) (string, error) {
	info, err := i.Info()
	if err != nil {
		return "", err
	}
	return info.Envelope.MessageID, nil
}

// messageID returns the id of the mail, "" if it has none.
func (p page) messageID() string {
	for f := range mime.Fields(p.header) {
		if f.Is("Message-ID") && p.inward != nil {
			return p.inward(f.Value())
		}
		if f.Is("Message-ID") {
			return f.Value()
		}
	}
	return ""
}

package gateway

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// Inbox is an IMAP session on the account's INBOX that is told of new mail as
// it arrives. It is for one goroutine.
type Inbox struct {
	client *imapclient.Client
	exists chan struct{} // a token when the server spoke of new messages
	stop   func() bool   // ends the watch over ctx
	next   imap.UID      // the first UID not yet returned
}

// Inbox logs in and selects INBOX. Messages already there are not returned by
// Next. The session ends with Close or when ctx is cancelled.
func (u Upstream) Inbox(ctx context.Context) (*Inbox, error) {
	x := &Inbox{exists: make(chan struct{}, 1)}
	client, conn, err := u.dialIMAP(ctx, &imapclient.Options{
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: x.mailboxChanged},
	})
	if err != nil {
		return nil, err
	}
	x.client = client
	x.stop = context.AfterFunc(ctx, func() { conn.Close() })
	if err := x.open(u); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

func (x *Inbox) open(u Upstream) error {
	if err := x.client.Login(u.user(), u.password()).Wait(); err != nil {
		return fmt.Errorf("log in to IMAP: %w", err)
	}
	selected, err := x.client.Select("INBOX", nil).Wait()
	if err != nil {
		return fmt.Errorf("select INBOX: %w", err)
	}
	x.next = selected.UIDNext
	return nil
}

// mailboxChanged runs on the client's reading goroutine and must not block it.
func (x *Inbox) mailboxChanged(d *imapclient.UnilateralDataMailbox) {
	if d.NumMessages == nil {
		return
	}
	select {
	case x.exists <- struct{}{}:
	default:
	}
}

// Next waits for the next message and returns it whole, leaving it unseen. It
// waits in IDLE (RFC 9051, 6.3.13), so the answer comes as the server pushes it.
func (x *Inbox) Next(ctx context.Context) ([]byte, error) {
	for {
		msg, err := x.fetchNext()
		if msg != nil || err != nil {
			return msg, err
		}
		if err := x.idle(ctx); err != nil {
			return nil, err
		}
	}
}

func (x *Inbox) idle(ctx context.Context) error {
	idle, err := x.client.Idle()
	if err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	select {
	case <-x.exists:
	case <-x.client.Closed():
	case <-ctx.Done():
	}
	if err := idle.Close(); err != nil {
		return fmt.Errorf("end idle: %w", err)
	}
	if err := idle.Wait(); err != nil {
		return fmt.Errorf("end idle: %w", err)
	}
	return ctx.Err()
}

func (x *Inbox) fetchNext() ([]byte, error) {
	section := &imap.FetchItemBodySection{Peek: true}
	found, err := x.client.Fetch(imap.UIDSet{{Start: x.next, Stop: 0}}, &imap.FetchOptions{
		UID:         true,
		BodySection: []*imap.FetchItemBodySection{section},
	}).Collect()
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	for _, m := range found {
		// "n:*" always names the last message, even if it is below n.
		if m.UID >= x.next {
			x.next = m.UID + 1
			return m.FindBodySection(section), nil
		}
	}
	return nil, nil
}

// Close logs out and ends the session.
func (x *Inbox) Close() error {
	x.stop()
	_ = x.client.Logout().Wait() // the connection may be gone already
	return x.client.Close()
}

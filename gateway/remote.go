package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/restante/restante/mailbox"
)

// remote is a connection to the provider's IMAP server. It is for one goroutine.
type remote struct {
	client  *imapclient.Client
	dial    func() (*imapclient.Client, func() bool, error) // another connection
	stop    func() bool
	changed chan struct{} // a token when the server spoke of a change
	delim   string        // between levels of mailbox names
	open    string        // the selected mailbox
	valid   uint32        // its UIDVALIDITY
	inbox   seen          // INBOX as the last look found it
	qresync *qresyncConn  // nil: the server has no QRESYNC
}

// seen is what tells that a mailbox has changed since.
type seen struct {
	validity uint32
	count    uint32 // messages
	next     imap.UID
	modseq   uint64 // 0: the server has none
}

func seenOf(d *imap.SelectData) seen {
	return seen{d.UIDValidity, d.NumMessages, d.UIDNext, d.HighestModSeq}
}

// connect logs in. The connection ends with close or when ctx is cancelled.
func (u Upstream) connect(ctx context.Context) (*remote, error) {
	r := &remote{changed: make(chan struct{}, 1), delim: "/"}
	r.dial = func() (*imapclient.Client, func() bool, error) {
		client, conn, err := u.dialIMAP(ctx, r.options())
		if err != nil {
			return nil, nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		if err := client.Login(u.user(), u.password()).Wait(); err != nil {
			stop()
			return nil, nil, errors.Join(fmt.Errorf("log in to IMAP: %w", err), client.Close())
		}
		if r.qresync, err = enableQResync(client, conn); err != nil {
			stop()
			return nil, nil, errors.Join(fmt.Errorf("enable QRESYNC: %w", err), client.Close())
		}
		return client, stop, nil
	}
	var err error
	if r.client, r.stop, err = r.dial(); err != nil {
		return nil, err
	}
	return r, nil
}

// enableQResync turns QRESYNC on where the server has it; else it returns nil.
func enableQResync(client *imapclient.Client, conn net.Conn) (*qresyncConn, error) {
	q, ok := conn.(*qresyncConn)
	if !ok || !client.Caps().Has(imap.CapQResync) {
		return nil, nil
	}
	if ok, err := q.enable(client.Closed()); !ok || err != nil {
		return nil, err
	}
	return q, nil
}

// options has the client tell of what the server says by itself.
func (r *remote) options() *imapclient.Options {
	return &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(*imapclient.UnilateralDataMailbox) { r.hint() },
		Expunge: func(uint32) { r.hint() },
		Fetch: func(m *imapclient.FetchMessageData) {
			_, _ = m.Collect() // the next look reads it; the library wants it consumed
			r.hint()
		},
	}}
}

// redial goes on with another connection.
func (r *remote) redial() error {
	client, stop, err := r.dial()
	if err != nil {
		return err
	}
	_ = r.close() // that connection is of no use any more, so neither is what it says
	r.client, r.stop, r.open = client, stop, ""
	return nil
}

// hint runs on the client's reading goroutine and must not block it.
func (r *remote) hint() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// alive reports whether commands can still be given.
func (r *remote) alive() bool {
	select {
	case <-r.client.Closed():
		return false
	default:
		return true
	}
}

func (r *remote) close() error {
	r.stop()
	return r.client.Close()
}

// place is a mailbox on the server.
type place struct {
	name string // with '/' between levels
	use  mailbox.SpecialUse
}

// uses are the roles of mailboxes (RFC 6154) that both sides know.
var uses = map[imap.MailboxAttr]mailbox.SpecialUse{
	imap.MailboxAttrArchive: mailbox.UseArchive, imap.MailboxAttrDrafts: mailbox.UseDrafts,
	imap.MailboxAttrJunk: mailbox.UseJunk, imap.MailboxAttrSent: mailbox.UseSent, imap.MailboxAttrTrash: mailbox.UseTrash,
}

// mailboxes lists the mailboxes that hold messages of their own. That of the devices is
// not among them.
func (r *remote) mailboxes() ([]place, error) {
	list, err := r.client.List("", "*", nil).Collect()
	if err != nil {
		return nil, fmt.Errorf("list mailboxes: %w", err)
	}
	var places []place
	for _, m := range list {
		if m.Delim != 0 {
			r.delim = string(m.Delim)
		}
		if p, ok := r.place(m); ok && p.name != deviceBox {
			places = append(places, p)
		}
	}
	return places, nil
}

func (r *remote) place(m *imap.ListData) (place, bool) {
	p := place{name: nameHere(m.Mailbox, r.delim)}
	for _, a := range m.Attrs {
		switch a {
		case imap.MailboxAttrNoSelect, imap.MailboxAttrNonExistent, imap.MailboxAttrAll, imap.MailboxAttrFlagged:
			return p, false // no mailbox, or one that shows what is in others
		}
		if use, ok := uses[a]; ok {
			p.use = use
		}
	}
	return p, true
}

// nameHere returns the local spelling of a server's mailbox name.
func nameHere(name, delim string) string {
	if strings.EqualFold(name, "INBOX") {
		return "INBOX"
	}
	return strings.ReplaceAll(name, delim, "/")
}

func (r *remote) name(local string) string { return strings.ReplaceAll(local, "/", r.delim) }

// leave unselects a mailbox if it is the selected one, or below it.
func (r *remote) leave(local string) error {
	if r.open != local && !strings.HasPrefix(r.open, local+"/") {
		return nil
	}
	r.open = ""
	if err := r.client.Unselect().Wait(); err != nil {
		return fmt.Errorf("unselect mailbox: %w", err)
	}
	return nil
}

// rename gives a mailbox and all below it another name.
func (r *remote) rename(from, to string) error {
	if err := r.leave(from); err != nil {
		return err
	}
	if err := r.client.Rename(r.name(from), r.name(to), nil).Wait(); err != nil {
		return fmt.Errorf("rename mailbox: %w", err)
	}
	return nil
}

// drop deletes a mailbox, which is empty.
func (r *remote) drop(local string) error {
	if err := r.leave(local); err != nil {
		return err
	}
	if err := r.client.Delete(r.name(local)).Wait(); err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	return nil
}

func (r *remote) create(local string) error {
	if err := r.client.Create(r.name(local), nil).Wait(); err != nil {
		return fmt.Errorf("create mailbox: %w", err)
	}
	return nil
}

// selectBox makes a mailbox the selected one.
func (r *remote) selectBox(local string) error {
	if r.open == local {
		return nil
	}
	selected, err := r.client.Select(r.name(local), nil).Wait()
	if err != nil {
		return fmt.Errorf("select mailbox: %w", err)
	}
	r.open, r.valid = local, selected.UIDValidity
	return nil
}

// received is a message of the server.
type received struct {
	uid  imap.UID
	raw  *spool
	date time.Time // internal date
}

// fetch reads messages, in any order, by one command. Those that are not there any more
// are left out. The spools, in dir, are finished; they are the caller's to close, after an
// error too.
func (r *remote) fetch(local string, uids []imap.UID, dir string) (list []received, err error) {
	if err := r.selectBox(local); err != nil {
		return nil, err
	}
	cmd := r.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{
		UID: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}},
	})
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		one, found, ferr := receive(m, dir, r.client.Closed())
		if err = errors.Join(err, ferr); found {
			list = append(list, one)
		}
	}
	return list, errors.Join(err, cmd.Close())
}

// receive reads one message. What the disk does not take is read all the same: the next
// message comes behind it.
func receive(m *imapclient.FetchMessageData, dir string, closed <-chan struct{}) (one received, found bool, err error) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			one.uid = item.UID
		case imapclient.FetchItemDataInternalDate:
			one.date = item.Time
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil || found {
				continue
			}
			one.raw, found = newSpool(dir), true
			if _, err = io.Copy(one.raw, &lostLiteral{r: item.Literal, closed: closed}); err == nil {
				err = one.raw.finish()
			}
		}
	}
	return one, found, err
}

// append puts a message into a mailbox and returns its UID, 0 if the server does not
// tell. If the server refused it, isRefusal holds for the error, and the connection is
// good for other commands.
func (r *remote) append(local string, msg io.Reader, size int64, flags flagSet, date time.Time) (imap.UID, error) {
	cmd := r.client.Append(r.name(local), size, &imap.AppendOptions{Flags: flags.imap(), Time: date})
	_, err := io.Copy(cmd, msg)
	if ended := cmd.Close(); err == nil { // without it the next command would wait for ever
		err = ended
	}
	if err != nil {
		if isRefusal(err) {
			// Before the literal: then the client (go-imap v2.0.0-beta.8, commandEncoder.flush) gives the connection up.
			err = errors.Join(err, r.redial())
		}
		return 0, fmt.Errorf("append: %w", err)
	}
	data, err := cmd.Wait()
	if err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	return data.UID, nil
}

// isRefusal reports whether an error is the server's NO: it did nothing of what was asked.
func isRefusal(err error) bool {
	var answer *imap.Error
	return errors.As(err, &answer) && answer.Type == imap.StatusResponseTypeNo
}

// copy copies a message to another mailbox, or moves it, and returns its UID there,
// 0 if the server does not tell.
func (r *remote) copy(from string, uid imap.UID, to string, move bool) (imap.UID, error) {
	if err := r.selectBox(from); err != nil {
		return 0, err
	}
	var dest imap.NumSet
	if move {
		data, err := r.client.Move(imap.UIDSetNum(uid), r.name(to)).Wait()
		if err != nil {
			return 0, fmt.Errorf("move: %w", err)
		}
		dest = data.DestUIDs
	} else {
		data, err := r.client.Copy(imap.UIDSetNum(uid), r.name(to)).Wait()
		if err != nil {
			return 0, fmt.Errorf("copy: %w", err)
		}
		dest = data.DestUIDs
	}
	if uids, ok := dest.(imap.UIDSet); ok {
		if nums, ok := uids.Nums(); ok && len(nums) == 1 {
			return nums[0], nil
		}
	}
	return 0, nil
}

// store changes the flags of messages.
func (r *remote) store(local string, uids []imap.UID, op imap.StoreFlagsOp, flags flagSet) error {
	if err := r.selectBox(local); err != nil {
		return err
	}
	err := r.client.Store(imap.UIDSetNum(uids...), &imap.StoreFlags{Op: op, Silent: true, Flags: flags.imap()}, nil).Close()
	if err != nil {
		return fmt.Errorf("store flags: %w", err)
	}
	return nil
}

// remove deletes messages. Without UIDPLUS the server has no command that expunges
// these and no others: they are left to it, marked as deleted.
func (r *remote) remove(local string, uids []imap.UID) error {
	if err := r.store(local, uids, imap.StoreFlagsAdd, newFlagSet(`\deleted`)); err != nil {
		return err
	}
	caps := r.client.Caps()
	if !caps.Has(imap.CapUIDPlus) && !caps.Has(imap.CapIMAP4rev2) {
		return nil
	}
	if err := r.client.UIDExpunge(imap.UIDSetNum(uids...)).Close(); err != nil {
		return fmt.Errorf("expunge: %w", err)
	}
	return nil
}

// idle waits until the server speaks of a change, wake has a token, ctx ends, or so
// long has passed.
func (r *remote) idle(ctx context.Context, wake <-chan struct{}, most time.Duration) error {
	// What came since the last look is not told in IDLE: SELECT shows it.
	selected, err := r.client.Select("INBOX", &imap.SelectOptions{CondStore: r.client.Caps().Has(imap.CapCondStore)}).Wait()
	if err != nil {
		return fmt.Errorf("select INBOX: %w", err)
	}
	r.open, r.valid = "INBOX", selected.UIDValidity
	if seenOf(selected) != r.inbox {
		return nil
	}
	idle, err := r.client.Idle()
	if err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.changed:
	case <-wake:
	case <-r.client.Closed():
	case <-ctx.Done():
	case <-timer.C:
	}
	if err := idle.Close(); err != nil {
		return fmt.Errorf("end idle: %w", err)
	}
	if err := idle.Wait(); err != nil {
		return fmt.Errorf("end idle: %w", err)
	}
	return ctx.Err()
}

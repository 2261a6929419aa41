package mailbox

import (
	"context"
	"fmt"
	"slices"
)

// A device that may not expunge has a password of its own kind (Keeping). Mail
// programs that take a mailbox for a queue, as Delta Chat does, can then share an
// account with others: what such a device deletes is hidden from its own sessions,
// and stays for everybody else. Its flag Deleted is its own as well, so that no
// other program expunges what it has marked.

// Keeps reports whether the session is of a device that may not expunge.
func (x *Session) Keeps() bool { return x.login.kind == KeepingSecret }

// device is whose own view of mailboxes the session has, 0 if it has none.
func (x *Session) device() CredentialID {
	if x.Keeps() {
		return x.login.credential
	}
	return 0
}

// veil is what a device has noted of a mailbox's messages, by UID.
type veil []Hidden

func (own *owner) veilOf(ctx context.Context, device CredentialID, mbox MailboxID) (veil, error) {
	v, err := own.svc.store.Hidden(ctx, own.id, device, mbox)
	if err != nil {
		return nil, fmt.Errorf("read what is hidden: %w", err)
	}
	return v, nil
}

// state is what a message is to the device.
func (v veil) state(uid UID) HiddenState {
	i, found := slices.BinarySearchFunc(v, uid, func(h Hidden, uid UID) int { return int(int64(h.UID) - int64(uid)) })
	if !found {
		return Shown
	}
	return v[i].State
}

// cover makes a row what the device sees of it.
func (v veil) cover(r Row) Row {
	if v.state(r.UID) == Marked {
		r.Flags |= Deleted
	}
	return r
}

// coverAll leaves out of rows what is gone for the device, and makes the others what
// it sees.
func (v veil) coverAll(rows []Row) []Row {
	if len(v) == 0 {
		return rows
	}
	var shown []Row
	for _, r := range rows {
		if v.state(r.UID) != Gone {
			shown = append(shown, v.cover(r))
		}
	}
	return shown
}

// gone lists what is gone for the device.
func (v veil) gone() []UIDRange {
	var set []UIDRange
	for _, h := range v {
		if h.State != Gone {
			continue
		}
		if n := len(set); n > 0 && set[n-1].High+1 == h.UID {
			set[n-1].High = h.UID
			continue
		}
		set = append(set, UIDRange{h.UID, h.UID})
	}
	return set
}

// hide is Expunge for a device that may not.
func (x *Session) hide(ctx context.Context, own *owner, mbox MailboxID, set []UIDRange, all bool) (Expunged, error) {
	t, err := x.Open(ctx, mbox)
	if err != nil {
		return Expunged{}, err
	}
	defer t.Close()
	e := Expunged{ModSeq: t.View().Mailbox.HighestModSeq}
	var doomed []UIDRange
	for _, r := range t.Rows(nil, set) {
		if all || r.Flags&Deleted != 0 {
			e.UIDs = append(e.UIDs, r.UID)
			doomed = append(doomed, UIDRange{r.UID, r.UID})
		}
	}
	if len(doomed) == 0 {
		return e, nil
	}
	return e, own.svc.store.Hide(ctx, own.id, x.device(), mbox, doomed, Gone)
}

// mark is StoreFlags for a device that may not expunge: the flag Deleted is its own.
func (x *Session) mark(ctx context.Context, own *owner, mbox MailboxID, c FlagChange) (FlagResult, error) {
	deletes := c.Flags&Deleted != 0
	shared := c
	if c.Mode != RemoveFlags { // what others have marked it may take back
		shared.Flags &^= Deleted
	}
	r, err := own.svc.store.StoreFlags(ctx, own.id, mbox, shared)
	if err != nil {
		return FlagResult{}, err
	}
	if deletes || c.Mode == ReplaceFlags {
		to := Shown
		if deletes && c.Mode != RemoveFlags {
			to = Marked
		}
		if err := own.svc.store.Hide(ctx, own.id, x.device(), mbox, rangesOfRows(r.Rows, r.Modified), to); err != nil {
			return FlagResult{}, err
		}
	}
	v, err := own.veilOf(ctx, x.device(), mbox)
	r.Rows = v.coverAll(r.Rows)
	return r, err
}

// rangesOfRows returns the UIDs of rows but for those that are spared.
func rangesOfRows(rows []Row, spared []UID) []UIDRange {
	var set []UIDRange
	for _, r := range rows {
		if !slices.Contains(spared, r.UID) {
			set = append(set, UIDRange{r.UID, r.UID})
		}
	}
	return set
}

// moveAway is Copy with Move for a device that may not expunge: for others, the
// messages stay where they are as well.
func (x *Session) moveAway(ctx context.Context, own *owner, c CopyRequest) (CopyResult, error) {
	c.Move = false
	r, err := own.svc.store.Copy(ctx, own.id, c, own.reseal)
	if err != nil {
		return CopyResult{}, err
	}
	var set []UIDRange
	for _, uid := range r.Source {
		set = append(set, UIDRange{uid, uid})
	}
	return r, own.svc.store.Hide(ctx, own.id, x.device(), c.From, set, Gone)
}

// replaceOwn is Replace for a device that may not expunge.
func (x *Session) replaceOwn(ctx context.Context, own *owner, from MailboxID, uid UID, d Delivery) (Receipt, error) {
	receipts, err := own.svc.store.Accept(ctx, []Delivery{d})
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], own.svc.store.Hide(ctx, own.id, x.device(), from, []UIDRange{{uid, uid}}, Gone)
}

// coverChanges makes of what happened in a mailbox what the device sees of it. What
// is gone for it is told as vanished each time: a client may hear that again (RFC
// 7162, 3.2.5.1).
func (x *Session) coverChanges(ctx context.Context, own *owner, mbox MailboxID, c Changes) (Changes, error) {
	v, err := own.veilOf(ctx, x.device(), mbox)
	if err != nil || len(v) == 0 {
		return c, err
	}
	c.Rows = v.coverAll(c.Rows)
	c.Vanished = union(c.Vanished, v.gone())
	return c, nil
}

// union returns the ranges that are in either of two sets, ascending and merged.
func union(a, b []UIDRange) []UIDRange {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b UIDRange) int { return int(int64(a.Low) - int64(b.Low)) })
	var set []UIDRange
	for _, r := range all {
		if n := len(set); n > 0 && int64(r.Low) <= int64(set[n-1].High)+1 {
			set[n-1].High = max(set[n-1].High, r.High)
			continue
		}
		set = append(set, r)
	}
	return set
}

// coverMailbox makes the row of a mailbox what the device sees of it.
func (x *Session) coverMailbox(ctx context.Context, m *Mailbox) error {
	if !x.Keeps() || m.ID == 0 {
		return nil
	}
	v, err := x.own.veilOf(ctx, x.device(), m.ID)
	if err != nil || len(v) == 0 {
		return err
	}
	t, err := x.Open(ctx, m.ID)
	if err != nil {
		return err
	}
	defer t.Close()
	row := t.View().Mailbox
	m.Messages, m.Unseen, m.Deleted = row.Messages, row.Unseen, row.Deleted
	return nil
}

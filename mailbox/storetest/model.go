package storetest

import (
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// model is what one account should look like: plain slices, and no thought of
// speed.
type model struct {
	boxes     map[mailbox.MailboxID]*modelBox
	nextBox   mailbox.MailboxID
	validity  uint32
	delivered map[string]mailbox.Receipt
}

type modelBox struct {
	validity uint32
	uidNext  mailbox.UID
	modseq   mailbox.ModSeq
	messages []modelMessage
	gone     []modelGone
	recent   mailbox.UID
}

type modelMessage struct {
	mailbox.Row
	Blob  seal.BlobID
	Key   string
	Size  int64
	Stage mailbox.Stage
}

type modelGone struct {
	uid    mailbox.UID
	modseq mailbox.ModSeq
}

func newModel() *model {
	m := &model{boxes: make(map[mailbox.MailboxID]*modelBox), delivered: make(map[string]mailbox.Receipt)}
	m.create()
	m.create()
	return m
}

func (m *model) create() mailbox.MailboxID {
	m.nextBox++
	m.validity++
	m.boxes[m.nextBox] = &modelBox{validity: m.validity, uidNext: 1, modseq: 1, recent: 1}
	return m.nextBox
}

// ids lists the mailboxes.
func (m *model) ids() []mailbox.MailboxID {
	var ids []mailbox.MailboxID
	for id := range m.boxes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (m *model) accept(d mailbox.Delivery) mailbox.Receipt {
	if r, ok := m.delivered[string(d.DeliveryID)]; ok && d.DeliveryID != nil {
		r.Duplicate = true
		return r
	}
	b := m.boxes[d.Mailbox]
	b.modseq++
	b.add(modelMessage{Row: mailbox.Row{Flags: d.Flags}, Blob: d.Blob, Key: string(d.Key), Size: d.Size})
	r := mailbox.Receipt{UIDValidity: b.validity, UID: b.uidNext - 1, ModSeq: b.modseq}
	if d.DeliveryID != nil {
		m.delivered[string(d.DeliveryID)] = r
	}
	return r
}

// add gives a message the next UID and the mailbox's mod-sequence.
func (b *modelBox) add(x modelMessage) {
	x.UID, x.ModSeq = b.uidNext, b.modseq
	b.uidNext++
	b.messages = append(b.messages, x)
}

func (b *modelBox) storeFlags(c mailbox.FlagChange) mailbox.FlagResult {
	var res mailbox.FlagResult
	changed := false
	for i := range b.messages {
		x := &b.messages[i]
		if !contains(c.Set, x.UID) {
			continue
		}
		if c.UnchangedSince != nil && x.ModSeq > *c.UnchangedSince {
			res.Modified = append(res.Modified, x.UID)
			continue
		}
		if f := c.Mode.Apply(x.Flags, c.Flags); f != x.Flags {
			x.Flags, x.ModSeq, changed = f, b.modseq+1, true
		}
		res.Rows = append(res.Rows, x.Row)
	}
	if changed {
		b.modseq++
	}
	return res
}

// take removes the messages that f picks, with a new mod-sequence if there are
// any.
func (b *modelBox) take(f func(modelMessage) bool) []modelMessage {
	var taken, kept []modelMessage
	for _, x := range b.messages {
		if f(x) {
			taken = append(taken, x)
		} else {
			kept = append(kept, x)
		}
	}
	if len(taken) > 0 {
		b.modseq++
	}
	for _, x := range taken {
		b.gone = append(b.gone, modelGone{x.UID, b.modseq})
	}
	b.messages = kept
	return taken
}

func (b *modelBox) expunge(r mailbox.ExpungeRequest) mailbox.Expunged {
	var res mailbox.Expunged
	n := 0
	for _, x := range b.take(func(x modelMessage) bool {
		if !contains(r.Set, x.UID) || x.Flags&r.Need != r.Need || x.Flags&r.Spare != 0 || r.Limit > 0 && n == r.Limit {
			return false
		}
		n++
		return true
	}) {
		res.UIDs = append(res.UIDs, x.UID)
	}
	res.ModSeq = b.modseq
	return res
}

func (m *model) copy(c mailbox.CopyRequest) mailbox.CopyResult {
	from, to := m.boxes[c.From], m.boxes[c.To]
	var some []modelMessage
	for _, x := range from.messages {
		if contains(c.Set, x.UID) {
			some = append(some, x)
		}
	}
	res := mailbox.CopyResult{UIDValidity: to.validity}
	if len(some) > 0 {
		to.modseq++
	}
	for _, x := range some {
		res.Source = append(res.Source, x.UID)
		res.Dest = append(res.Dest, to.uidNext)
		x.Key = "key of " + resealed(x.Blob, c.To, to.uidNext)
		to.add(x)
	}
	if c.Move {
		from.take(func(x modelMessage) bool { return slices.Contains(res.Source, x.UID) })
	}
	res.ModSeq = from.modseq
	return res
}

func (b *modelBox) rewrap(rows []mailbox.Rewrapped) {
	for _, r := range rows {
		for i := range b.messages {
			if x := &b.messages[i]; x.UID == r.UID && x.Stage == mailbox.StageSealed {
				x.Stage, x.Key = mailbox.StageWrapped, string(r.Key)
			}
		}
	}
}

// changes is what Store.Changes should return, but for the mailbox.
func (b *modelBox) changes(since mailbox.ModSeq) (rows []mailbox.Row, vanished []mailbox.UID) {
	for _, x := range b.messages {
		if x.ModSeq > since {
			rows = append(rows, x.Row)
		}
	}
	for _, g := range b.gone {
		if g.modseq > since && since > 0 {
			vanished = append(vanished, g.uid)
		}
	}
	slices.Sort(vanished)
	return rows, vanished
}

// row is the mailbox's row, but for its name and use.
func (b *modelBox) row(id mailbox.MailboxID) mailbox.Mailbox {
	m := mailbox.Mailbox{ID: id, UIDValidity: b.validity, UIDNext: b.uidNext, HighestModSeq: b.modseq, Recent: b.recent}
	for _, x := range b.messages {
		m.Messages++
		m.Size += x.Size
		if x.Flags&mailbox.Seen == 0 {
			m.Unseen++
		}
		if x.Flags&mailbox.Deleted != 0 {
			m.Deleted++
		}
	}
	return m
}

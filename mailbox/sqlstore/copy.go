package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

// copyAtOnce bounds the wide halves that a copy holds in memory.
const copyAtOnce = 256

// Copy implements mailbox.Store.
func (s *Store) Copy(ctx context.Context, id mailbox.AccountID, c mailbox.CopyRequest, reseal mailbox.Reseal) (mailbox.CopyResult, error) {
	var res mailbox.CopyResult
	err := s.submit(ctx, &job{
		op:       "copy messages",
		accounts: []mailbox.AccountID{id},
		grows:    !c.Move,
		patient:  true, // reseal uses the caller's keys, which may go when Copy returns
		run: func(t *tx) error {
			var err error
			res, err = t.copyMessages(id, c, reseal)
			return err
		},
	})
	if err != nil {
		return mailbox.CopyResult{}, err
	}
	return res, nil
}

func (t *tx) copyMessages(id mailbox.AccountID, c mailbox.CopyRequest, reseal mailbox.Reseal) (mailbox.CopyResult, error) {
	from, err := t.mailbox(id, c.From)
	if err != nil {
		return mailbox.CopyResult{}, err
	}
	to, err := t.mailbox(id, c.To)
	if err != nil {
		return mailbox.CopyResult{}, err
	}
	res := mailbox.CopyResult{UIDValidity: to.UIDValidity, ModSeq: from.HighestModSeq}
	es, err := t.entries(id, c.From, c.Set)
	if err != nil || len(es) == 0 {
		return res, err
	}
	at, err := t.allot(id, c.To, tallyOf(es))
	if err != nil {
		return res, err
	}
	for i, e := range es {
		res.Source = append(res.Source, e.UID)
		res.Dest = append(res.Dest, at.first+mailbox.UID(i))
	}
	if err := t.copyAll(id, c, es, at, reseal); err != nil {
		return res, err
	}
	if !c.Move {
		return res, t.shareAll(id, es)
	}
	res.ModSeq, err = t.vanish(id, c.From, es)
	return res, err
}

// copyAll adds the copies. Their bodies stay where they are.
func (t *tx) copyAll(id mailbox.AccountID, c mailbox.CopyRequest, es []entry, at allotted, reseal mailbox.Reseal) error {
	next := at.first
	for len(es) > 0 {
		some := es[:min(copyAtOnce, len(es))]
		es = es[len(some):]
		ms, err := t.messages(id, c.From, rangesOf(some), len(some))
		if err != nil {
			return err
		}
		for i := range ms {
			m := &ms[i]
			was := m.Generation
			if m.Key, m.Envelope, err = reseal(m, c.To, next); err != nil {
				return err
			}
			if m.Generation != was {
				if err := t.sealedNow(id, m.Generation); err != nil {
					return err
				}
			}
			m.Mailbox, m.UID, m.ModSeq, m.Saved = c.To, next, at.modseq, max(m.Day, t.w.s.today())
			if err := t.addMessage(id, m); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}

// shareAll counts the copies as the account's and as holders of their bodies.
func (t *tx) shareAll(id mailbox.AccountID, es []entry) error {
	sum := tallyOf(es)
	if _, err := t.charge(id, sum.messages, sum.size); err != nil {
		return err
	}
	for i := range es {
		if err := t.share(id, es[i].blob); err != nil {
			return err
		}
	}
	return nil
}

package imapd

import (
	"cmp"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// thread is THREAD (RFC 5256, 3).
func (c *conn) thread(d *wire.Decoder) error { return c.runThread(d, false) }

// uidThread is UID THREAD.
func (c *conn) uidThread(d *wire.Decoder) error { return c.runThread(d, true) }

func (c *conn) runThread(d *wire.Decoder, byUID bool) error {
	d.SP()
	q := d.Thread()
	if err := d.End(); err != nil {
		return err
	}
	if q.Algorithm != "ORDEREDSUBJECT" {
		return bad("Threads are made by ORDEREDSUBJECT alone")
	}
	f, err := c.lookFor(&q.Search, byUID)
	if err != nil {
		return err
	}
	threads, err := c.bySubject(f.hits)
	if err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word("THREAD")
	lists := make([][]uint32, len(threads))
	for i, t := range threads {
		for _, m := range t {
			lists[i] = append(lists[i], f.number(m.hit))
		}
	}
	c.w.ThreadLists(lists)
	c.sent(c.w.CRLF())
	return nil
}

// threaded is a message with what ORDEREDSUBJECT looks at.
type threaded struct {
	hit
	subject string
	sent    int64
}

// bySubject puts the messages of each base subject into a thread, by the time at
// which they were sent. The threads come in the order of their first messages.
func (c *conn) bySubject(hits []hit) ([][]threaded, error) {
	var list []threaded
	err := c.eachInfo(hits, func(h hit, i *mailbox.Info) {
		list = append(list, threaded{h, string(foldString(baseSubject(i.Envelope.Subject))), sentTime(i)})
	})
	slices.SortStableFunc(list, func(a, b threaded) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.sent, b.sent))
	})
	var threads [][]threaded
	for i, m := range list {
		if i == 0 || m.subject != list[i-1].subject {
			threads = append(threads, nil)
		}
		last := len(threads) - 1
		threads[last] = append(threads[last], m)
	}
	slices.SortStableFunc(threads, func(a, b []threaded) int {
		return cmp.Or(cmp.Compare(a[0].sent, b[0].sent), cmp.Compare(a[0].number, b[0].number))
	})
	return threads, err
}

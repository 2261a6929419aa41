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

// threaders are the algorithms of THREAD.
var threaders = map[string]func(*conn, *found) ([]wire.ThreadNode, error){
	"ORDEREDSUBJECT": (*conn).bySubject,
	"REFERENCES":     (*conn).byReferences,
}

func (c *conn) runThread(d *wire.Decoder, byUID bool) error {
	d.SP()
	q := d.Thread()
	if err := d.End(); err != nil {
		return err
	}
	thread, ok := threaders[q.Algorithm]
	if !ok {
		return bad("Threads are made by ORDEREDSUBJECT or REFERENCES")
	}
	f, err := c.lookFor(&q.Search, byUID)
	if err != nil {
		return err
	}
	threads, err := thread(c, f)
	if err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word("THREAD")
	c.w.Threads(threads)
	c.sent(c.w.CRLF())
	return nil
}

// threaded is a message with what both algorithms look at.
type threaded struct {
	hit
	subject string // its base, folded
	reply   bool   // the subject says that it answers or forwards something
	sent    int64
}

func newThreaded(h hit, i *mailbox.Info) threaded {
	base, reply := splitSubject(i.Envelope.Subject)
	return threaded{h, string(foldString(base)), reply, sentTime(i)}
}

func (m *threaded) compare(o *threaded) int {
	return cmp.Or(cmp.Compare(m.sent, o.sent), cmp.Compare(m.number, o.number))
}

// bySubject puts the messages of each base subject into a thread, by the time at
// which they were sent. The threads come in the order of their first messages.
func (c *conn) bySubject(f *found) ([]wire.ThreadNode, error) {
	var list []threaded
	err := c.eachInfo(f.hits, func(h hit, i *mailbox.Info) { list = append(list, newThreaded(h, i)) })
	slices.SortFunc(list, func(a, b threaded) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), a.compare(&b))
	})
	var firsts []threaded
	answers := map[string][]wire.ThreadNode{}
	for i, m := range list {
		if i == 0 || m.subject != list[i-1].subject {
			firsts = append(firsts, m)
			continue
		}
		answers[m.subject] = append(answers[m.subject], wire.ThreadNode{Number: f.number(m.hit)})
	}
	slices.SortFunc(firsts, func(a, b threaded) int { return a.compare(&b) })
	threads := make([]wire.ThreadNode, len(firsts))
	for i, m := range firsts {
		threads[i] = wire.ThreadNode{Number: f.number(m.hit), Children: answers[m.subject]}
	}
	return threads, err
}

package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var queueCases = []testCase{
	{"queue/what is stored", queueStored},
	{"queue/with deliveries", queueWithDeliveries},
	{"queue/shared body", queueShared},
	{"queue/bodies not ready", queueNotReady},
	{"queue/list", queueList},
	{"queue/hurry", queueHurry},
	{"queue/drop", queueDrop},
	{"queue/hints", queueHints},
}

// noon is a time to count from.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func dest(n byte) mailbox.DestinationID { return mailbox.DestinationID{n} }

// outbound makes one with a committed body.
func (e *env) outbound(id mailbox.JobID, d mailbox.DestinationID, due time.Time, size int) mailbox.Outbound {
	e.Helper()
	m := e.delivery(mailbox.QueueAccount, 0, size)
	return mailbox.Outbound{Job: id, Destination: d, Due: due, Envelope: fmt.Appendf(nil, "job %d", id), Blob: m.Blob, Body: m.Body}
}

func (e *env) send(out ...mailbox.Outbound) {
	e.Helper()
	_, err := e.s.Accept(e.ctx, nil, out...)
	e.must(err)
}

// jobs lists the numbers of all jobs.
func (e *env) jobs() []mailbox.JobID {
	e.Helper()
	var ids []mailbox.JobID
	e.must(e.s.Jobs(e.ctx, func(j mailbox.Job) error {
		ids = append(ids, j.ID)
		return nil
	}))
	return ids
}

func queueStored(e *env) {
	for i, size := range bodySizesTried {
		o := e.outbound(mailbox.JobID(i+1), dest(1), noon.Add(1234567*time.Microsecond), size)
		e.send(o)
		got, err := e.s.Job(e.ctx, o.Job)
		e.must(err)
		equal(e, "job", got, mailbox.Job{ID: o.Job, Destination: dest(1), Due: noon.Add(1234 * time.Millisecond), Envelope: o.Envelope, Blob: o.Blob})
		e.hasBody(mailbox.QueueAccount, o.Blob, size)
	}
	_, err := e.s.Job(e.ctx, 99)
	e.wantErr(err, mailbox.ErrGone)
}

// queueWithDeliveries: what goes to people here and elsewhere is one transaction.
func queueWithDeliveries(e *env) {
	e.accounts()
	e.must(e.s.SetState(e.ctx, bob, mailbox.Disabled))
	o := e.outbound(1, dest(1), noon, bodySize)
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0), e.delivery(bob, inbox, bodySize)}, o)
	e.wantErr(err, mailbox.ErrDisabled)
	equal(e, "jobs", e.jobs(), nil)
	e.noBody(mailbox.QueueAccount, o.Blob)
	again := e.outbound(1, dest(1), noon, bodySize)
	twin := e.outbound(1, dest(1), noon, 100<<10) // a number that is taken
	if _, err := e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0)}, again, twin); err == nil {
		e.Fatal("two jobs have one number")
	}
	e.noBody(mailbox.QueueAccount, twin.Blob)
	equal(e, "UIDs", e.uids(inbox), nil)
	_, err = e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0)}, e.outbound(1, dest(1), noon, bodySize))
	e.must(err)
	equal(e, "UIDs", e.uids(inbox), upTo(1))
	equal(e, "jobs", e.jobs(), []mailbox.JobID{1})
}

// queueShared: a message to several domains is kept once, until the last job is
// done.
func queueShared(e *env) {
	for _, size := range []int{bodySize, 100 << 10} {
		first := e.outbound(1, dest(1), noon, size)
		second := mailbox.Outbound{Job: 2, Destination: dest(2), Due: noon, Blob: first.Blob}
		third := mailbox.Outbound{Job: 3, Destination: dest(3), Due: noon, Blob: first.Blob}
		e.send(first, second, third)
		for id := range mailbox.JobID(3) {
			e.hasBody(mailbox.QueueAccount, first.Blob, size)
			e.must(e.s.Drop(e.ctx, id+1))
		}
		e.noBody(mailbox.QueueAccount, first.Blob)
	}
}

func queueNotReady(e *env) {
	e.account(alice)
	o := e.outbound(1, dest(1), noon, bodySize)
	o.Body = nil
	others := e.outbound(2, dest(1), noon, bodySize)
	others.Blob = seal.NewBlobID()
	of := e.message(0)
	for _, wrong := range []mailbox.Outbound{o, others, {Job: 3, Destination: dest(1), Due: noon, Blob: of.Blob, Body: of.Body}} {
		if _, err := e.s.Accept(e.ctx, nil, wrong); err == nil {
			e.Errorf("job %d was taken with the body of another, or none", wrong.Job)
		}
	}
	equal(e, "jobs", e.jobs(), nil)
}

func queueList(e *env) {
	var want []mailbox.JobID
	for id := mailbox.JobID(450); id > 0; id -= 3 {
		var out []mailbox.Outbound
		for _, n := range []mailbox.JobID{id, id - 1, id - 2} {
			out = append(out, e.outbound(n, dest(byte(n)), noon, bodySize))
			want = append(want, n)
		}
		e.send(out...)
	}
	slices.Sort(want)
	equal(e, "jobs", e.jobs(), want)
	stop := fmt.Errorf("enough")
	e.wantErr(e.s.Jobs(e.ctx, func(mailbox.Job) error { return stop }), stop)
}

func queueHurry(e *env) {
	e.send(e.outbound(1, dest(1), noon.Add(time.Hour), bodySize))
	equal(e, "leases", e.claim(noon), nil)
	e.must(e.s.Hurry(e.ctx, 1, noon))
	equal(e, "jobs taken", ids(e.take(e.claim(noon)[0], noon)), []mailbox.JobID{1})
	e.wantErr(e.s.Hurry(e.ctx, 2, noon), mailbox.ErrGone)
}

func queueDrop(e *env) {
	e.send(e.outbound(1, dest(1), noon, bodySize))
	l := e.claim(noon)[0]
	e.take(l, noon)
	e.must(e.s.Drop(e.ctx, 1))
	e.wantErr(e.s.Drop(e.ctx, 1), mailbox.ErrGone)
	e.wantErr(e.s.Finish(e.ctx, l, 1, nil), mailbox.ErrGone)
	e.must(e.s.Release(e.ctx, l))
	equal(e, "leases", e.claim(noon.Add(time.Hour)), nil)
}

// queueHints: work in the queue is announced under QueueAccount.
func queueHints(e *env) {
	h, stop := e.watch()
	defer stop()
	e.send(e.outbound(1, dest(1), noon, bodySize))
	e.must(e.s.Drop(e.ctx, 1)) // the writer has given the first hint by then
	if h.take(mailbox.QueueAccount) == 0 {
		e.Error("no hint for a message in the queue")
	}
}

package storetest

import (
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

var leaseCases = []testCase{
	{"lease/order and limit", leaseOrder},
	{"lease/one holder", leaseOne},
	{"lease/ends", leaseEnds},
	{"lease/renew", leaseRenew},
	{"lease/take", leaseTake},
	{"lease/requeue", leaseRequeue},
	{"lease/release", leaseRelease},
	{"lease/new work meanwhile", leaseMeanwhile},
	{"lease/fencing", leaseFencing},
	{"lease/reports", leaseReports},
	{"lease/many at once", leaseCrowd},
}

// leaseTime is how long the leases of these cases last.
const leaseTime = 5 * time.Minute

func (e *env) claim(now time.Time) []mailbox.Lease {
	e.Helper()
	ls, err := e.s.Claim(e.ctx, now, now.Add(leaseTime), 10)
	e.must(err)
	return ls
}

func (e *env) take(l mailbox.Lease, now time.Time) []mailbox.Job {
	e.Helper()
	js, err := e.s.Take(e.ctx, l, now, 10)
	e.must(err)
	return js
}

func ids(js []mailbox.Job) []mailbox.JobID {
	var ids []mailbox.JobID
	for _, j := range js {
		ids = append(ids, j.ID)
	}
	return ids
}

func destinations(ls []mailbox.Lease) []mailbox.DestinationID {
	var ds []mailbox.DestinationID
	for _, l := range ls {
		ds = append(ds, l.Destination)
	}
	return ds
}

func leaseOrder(e *env) {
	for i, after := range []time.Duration{3, 1, 2, 60} {
		e.send(e.outbound(mailbox.JobID(i+1), dest(byte(i)), noon.Add(after*time.Second), bodySize))
	}
	now := noon.Add(10 * time.Second)
	first, err := e.s.Claim(e.ctx, now, now.Add(leaseTime), 2)
	e.must(err)
	equal(e, "first", destinations(first), []mailbox.DestinationID{dest(1), dest(2)})
	equal(e, "second", destinations(e.claim(now)), []mailbox.DestinationID{dest(0)})
	equal(e, "third", destinations(e.claim(now)), nil)
}

func leaseOne(e *env) {
	e.send(e.outbound(1, dest(1), noon, bodySize))
	if n := len(e.claim(noon)); n != 1 {
		e.Fatalf("got %d leases, want 1", n)
	}
	equal(e, "a second lease", e.claim(noon.Add(leaseTime-time.Millisecond)), nil)
}

// leaseEnds: the work of a process that died is done by the next.
func leaseEnds(e *env) {
	e.send(e.outbound(1, dest(1), noon, bodySize))
	dead := e.claim(noon)[0]
	e.take(dead, noon)
	later := noon.Add(leaseTime)
	next := e.claim(later)[0]
	equal(e, "jobs taken", ids(e.take(next, later)), []mailbox.JobID{1})
}

func leaseRenew(e *env) {
	e.send(e.outbound(1, dest(1), noon, bodySize))
	l := e.claim(noon)[0]
	e.must(e.s.Renew(e.ctx, l, noon.Add(2*leaseTime)))
	equal(e, "a second lease", e.claim(noon.Add(leaseTime)), nil)
	other := e.claim(noon.Add(2 * leaseTime))[0]
	e.wantErr(e.s.Renew(e.ctx, l, noon.Add(4*leaseTime)), mailbox.ErrGone)
	e.must(e.s.Renew(e.ctx, other, noon.Add(4*leaseTime)))
}

func leaseTake(e *env) {
	for i, after := range []time.Duration{3, 1, 2, 60} {
		e.send(e.outbound(mailbox.JobID(i+1), dest(1), noon.Add(after*time.Second), bodySize))
	}
	e.send(e.outbound(9, dest(2), noon, bodySize))
	now := noon.Add(10 * time.Second)
	l := e.claim(now)[1]
	first, err := e.s.Take(e.ctx, l, now, 2)
	e.must(err)
	equal(e, "first", ids(first), []mailbox.JobID{2, 3})
	equal(e, "second", ids(e.take(l, now)), []mailbox.JobID{1})
	equal(e, "third", ids(e.take(l, now)), nil)
	equal(e, "later", ids(e.take(l, noon.Add(time.Minute))), []mailbox.JobID{4})
	j, err := e.s.Job(e.ctx, 2)
	e.must(err)
	equal(e, "job", first[0], j)
}

func leaseRequeue(e *env) {
	o := e.outbound(1, dest(1), noon, bodySize)
	e.send(o)
	l := e.claim(noon)[0]
	e.take(l, noon)
	due := noon.Add(time.Hour)
	e.must(e.s.Requeue(e.ctx, l, mailbox.Requeue{Job: 1, Due: due, Envelope: []byte("new")}, nil))
	got, err := e.s.Job(e.ctx, 1)
	e.must(err)
	equal(e, "job", got, mailbox.Job{ID: 1, Destination: dest(1), Due: due, Attempts: 1, Envelope: []byte("new"), Blob: o.Blob})
	equal(e, "taken too early", ids(e.take(l, noon)), nil)
	equal(e, "taken", ids(e.take(l, due)), []mailbox.JobID{1})
	e.hasBody(mailbox.QueueAccount, o.Blob, bodySize)
	e.must(e.s.Finish(e.ctx, l, 1, nil))
	e.noBody(mailbox.QueueAccount, o.Blob)
	equal(e, "jobs", e.jobs(), nil)
}

// leaseRelease: afterwards a destination is due when its first job is.
func leaseRelease(e *env) {
	e.send(e.outbound(1, dest(1), noon, bodySize), e.outbound(2, dest(1), noon.Add(time.Hour), bodySize))
	l := e.claim(noon)[0]
	e.take(l, noon)
	e.must(e.s.Finish(e.ctx, l, 1, nil))
	e.must(e.s.Release(e.ctx, l))
	e.wantErr(e.s.Release(e.ctx, l), mailbox.ErrGone)
	equal(e, "too early", e.claim(noon.Add(time.Hour-time.Millisecond)), nil)
	l = e.claim(noon.Add(time.Hour))[0]
	equal(e, "taken", ids(e.take(l, noon.Add(time.Hour))), []mailbox.JobID{2})
	e.must(e.s.Release(e.ctx, l)) // without having finished it
	l = e.claim(noon.Add(time.Hour))[0]
	equal(e, "taken again", ids(e.take(l, noon.Add(time.Hour))), []mailbox.JobID{2})
}

// leaseMeanwhile: mail that comes while somebody works on its destination is his,
// or is there when he is done.
func leaseMeanwhile(e *env) {
	e.send(e.outbound(1, dest(1), noon, bodySize))
	l := e.claim(noon)[0]
	equal(e, "taken", ids(e.take(l, noon)), []mailbox.JobID{1})
	e.send(e.outbound(2, dest(1), noon, bodySize))
	equal(e, "a second lease", e.claim(noon), nil)
	equal(e, "taken", ids(e.take(l, noon)), []mailbox.JobID{2})
	e.must(e.s.Finish(e.ctx, l, 1, nil))
	e.must(e.s.Finish(e.ctx, l, 2, nil))
	e.send(e.outbound(3, dest(1), noon, bodySize))
	e.must(e.s.Release(e.ctx, l))
	equal(e, "taken", ids(e.take(e.claim(noon)[0], noon)), []mailbox.JobID{3})
}

// leaseFencing: who was too slow can't undo what the next one does.
func leaseFencing(e *env) {
	e.account(alice)
	e.send(e.outbound(1, dest(1), noon, bodySize))
	slow := e.claim(noon)[0]
	e.take(slow, noon)
	later := noon.Add(leaseTime)
	next := e.claim(later)[0]
	_, err := e.s.Take(e.ctx, slow, later, 10)
	e.wantErr(err, mailbox.ErrGone)
	e.take(next, later)
	report := e.message(0)
	e.wantErr(e.s.Finish(e.ctx, slow, 1, []mailbox.Delivery{report}), mailbox.ErrGone)
	e.noBody(alice, report.Blob)
	e.wantErr(e.s.Requeue(e.ctx, slow, mailbox.Requeue{Job: 1, Due: later}, nil), mailbox.ErrGone)
	e.wantErr(e.s.Release(e.ctx, slow), mailbox.ErrGone)
	equal(e, "UIDs", e.uids(inbox), nil)
	e.must(e.s.Finish(e.ctx, next, 1, nil))
}

// leaseReports: a report and the end of its job are one transaction.
func leaseReports(e *env) {
	e.accounts()
	e.must(e.s.SetState(e.ctx, bob, mailbox.Disabled))
	e.send(e.outbound(1, dest(1), noon, bodySize))
	l := e.claim(noon)[0]
	e.take(l, noon)
	e.wantErr(e.s.Finish(e.ctx, l, 1, []mailbox.Delivery{e.delivery(bob, inbox, bodySize)}), mailbox.ErrDisabled)
	e.must(e.s.Requeue(e.ctx, l, mailbox.Requeue{Job: 1, Due: noon}, []mailbox.Delivery{e.message(0)}))
	e.take(l, noon)
	e.must(e.s.Finish(e.ctx, l, 1, []mailbox.Delivery{e.message(0)}))
	equal(e, "UIDs", e.uids(inbox), upTo(2))
	equal(e, "jobs", e.jobs(), nil)
}

// leaseCrowd: of many workers, each job is had by one.
func leaseCrowd(e *env) {
	const jobs = 60
	for i := range jobs {
		e.send(e.outbound(mailbox.JobID(i+1), dest(byte(i%7)), noon, bodySize))
	}
	var mu sync.Mutex
	had := map[mailbox.JobID]int{}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for _, l := range e.claim(noon) {
				for _, j := range e.take(l, noon) {
					mu.Lock()
					had[j.ID]++
					mu.Unlock()
					e.must(e.s.Finish(e.ctx, l, j.ID, nil))
				}
			}
		})
	}
	all.Wait()
	for id, n := range had {
		if n != 1 {
			e.Errorf("job %d was had %d times", id, n)
		}
	}
	if len(had) != jobs {
		e.Errorf("%d of %d jobs were had", len(had), jobs)
	}
}

package sqlstore

import (
	"sync/atomic"
	"time"
)

// Stats counts the writing transactions of a Store since it was opened.
type Stats struct {
	Commits  int64         // transactions
	Requests int64         // what they took in: Requests/Commits is how well commits are shared
	Failed   int64         // commits whose outcome is an error
	Time     time.Duration // spent in Commits, from the first request to durable
}

type counters struct{ commits, requests, failed, nanoseconds atomic.Int64 }

// Stats returns the counts so far.
func (s *Store) Stats() Stats {
	c := &s.counts
	return Stats{
		Commits: c.commits.Load(), Requests: c.requests.Load(), Failed: c.failed.Load(), Time: time.Duration(c.nanoseconds.Load()),
	}
}

// committed takes a commit of several requests.
func (c *counters) committed(requests int, d time.Duration, err error) {
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.commits.Add(1)
	c.requests.Add(int64(requests))
	c.nanoseconds.Add(int64(d))
}

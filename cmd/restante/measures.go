package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/restante/restante/mta"
)

// A measure is one figure of the running relay, as the metrics and the live view
// show it. Labels are pairs of a name and one of a few fixed words: there is no
// identity in any.
type measure struct {
	Name   string
	Help   string
	Grows  bool // a count since the start, and not a level
	Labels []string
	Value  float64
}

// measures reads all figures. Those of the store cost a few queries.
func (r *relay) measures(ctx context.Context) ([]measure, error) {
	census, err := r.service.Census(ctx)
	if err != nil {
		return nil, err
	}
	waiting, err := r.service.Outbox().Waiting(ctx)
	if err != nil {
		return nil, err
	}
	all := []measure{
		{"restante_accounts", "Accounts.", false, nil, float64(census.Accounts)},
		{"restante_messages", "Messages kept.", false, nil, float64(census.Messages)},
		{"restante_message_bytes", "Padded sizes of the messages kept.", false, nil, float64(census.Bytes)},
		{"restante_queue_messages", "Messages that wait to go to other relays.", false, nil, float64(waiting.Jobs)},
		{"restante_queue_domains", "Domains that they wait for.", false, nil, float64(waiting.Destinations)},
	}
	all = append(all, r.portMeasures()...)
	all = append(all, r.mailMeasures()...)
	all = append(all, r.storeMeasures()...)
	all = append(all, r.certificateMeasures(time.Now())...)
	return append(all, processMeasures(time.Since(r.started))...), nil
}

func (r *relay) portMeasures() (all []measure) {
	for _, p := range r.allPorts() {
		ln := r.ports[p.name]
		if ln == nil {
			continue
		}
		s, label := ln.Stats(), []string{"port", p.name}
		all = append(all,
			measure{"restante_connections", "Open connections.", false, label, float64(s.Open)},
			measure{"restante_connections_accepted_total", "Connections taken in.", true, label, float64(s.Accepted)},
			measure{"restante_connections_refused_total", "Connections over a limit.", true, label, float64(s.Refused)},
			measure{"restante_handshakes_broken_total", "Connections whose handshake failed.", true, label, float64(s.Broken)},
		)
	}
	return all
}

func (r *relay) mailMeasures() (all []measure) {
	s := r.smtp.Stats()
	for role, o := range map[string]mta.Outcomes{"submission": s.Submission, "mx": s.Exchange} {
		for outcome, n := range map[string]int64{"kept": o.Kept, "not_encrypted": o.Gated, "refused": o.Refused, "deferred": o.Deferred} {
			all = append(all, measure{"restante_messages_total", "Messages at the end of DATA or BDAT.", true,
				[]string{"from", role, "outcome", outcome}, float64(n)})
		}
	}
	i, d := r.imap.Stats(), r.service.Stats()
	for outcome, n := range map[string]int64{"ok": d.Logins, "refused": d.Refused, "busy": d.Busy} {
		all = append(all, measure{"restante_logins_total", "Logins of all protocols.", true, []string{"outcome", outcome}, float64(n)})
	}
	return append(all,
		measure{"restante_delivered_total", "Messages stored, once for each recipient.", true, nil, float64(d.Kept)},
		measure{"restante_queued_total", "Messages put into the queue, once for each recipient.", true, nil, float64(d.Sent)},
		measure{"restante_imap_sessions", "IMAP sessions logged in.", false, nil, float64(i.Sessions)},
		measure{"restante_imap_accounts", "Accounts that they belong to.", false, nil, float64(i.Accounts)},
		measure{"restante_imap_commands_total", "IMAP commands.", true, nil, float64(i.Commands)},
		measure{"restante_imap_bodies_total", "Messages whose body was fetched.", true, nil, float64(i.Messages)},
	)
}

func (r *relay) storeMeasures() []measure {
	s := r.store.Stats()
	return []measure{
		{"restante_store_commits_total", "Writing transactions.", true, nil, float64(s.Commits)},
		{"restante_store_requests_total", "Requests that they took in.", true, nil, float64(s.Requests)},
		{"restante_store_failures_total", "Commits that failed.", true, nil, float64(s.Failed)},
		{"restante_store_commit_seconds_total", "Time from the first request of a transaction until it is durable.", true, nil, s.Time.Seconds()},
	}
}

func (r *relay) certificateMeasures(now time.Time) []measure {
	return []measure{{"restante_certificate_seconds", "Time until the certificate expires.", false, nil, r.tls.Until().Sub(now).Seconds()}}
}

func processMeasures(up time.Duration) []measure {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return []measure{
		{"restante_uptime_seconds", "Time since the relay started.", false, nil, up.Seconds()},
		{"restante_goroutines", "Goroutines.", false, nil, float64(runtime.NumGoroutine())},
		{"restante_heap_bytes", "Heap in use.", false, nil, float64(m.HeapInuse)},
		{"restante_memory_bytes", "Memory taken from the system.", false, nil, float64(m.Sys)},
	}
}

// find returns the sum of the measures of a name that have these labels.
func find(all []measure, name string, labels ...string) float64 {
	sum := 0.0
	for _, m := range all {
		if m.Name == name && hasLabels(m.Labels, labels) {
			sum += m.Value
		}
	}
	return sum
}

func hasLabels(have, want []string) bool {
	for i := 0; i+1 < len(want); i += 2 {
		at := slices.Index(have, want[i])
		if at < 0 || have[at+1] != want[i+1] {
			return false
		}
	}
	return true
}

// errUnwell is why a relay is not ready.
var errUnwell = errors.New("the store does not answer")

// wellTimeout is how long the store may take to answer.
const wellTimeout = 10 * time.Second

// well finds out whether the relay can take mail: whether its store writes.
func (r *relay) well(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wellTimeout)
	defer cancel()
	if err := r.store.Ping(ctx); err != nil {
		r.log.Error("the store does not answer", "error", err)
		return errUnwell
	}
	return nil
}

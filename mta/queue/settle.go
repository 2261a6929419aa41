package queue

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/restante/restante/mailbox"
)

// noticesAfter is when the sender of a message that can't be delivered yet hears
// of it.
var noticesAfter = []time.Duration{time.Hour, 12 * time.Hour}

// retries are the pauses after each attempt; the last one is repeated. The first
// ones are short: most trouble is, and somebody waits for an answer.
var retries = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute,
	time.Hour, 2 * time.Hour,
}

// backoff returns how long to wait after so many attempts. chance, from 0 to 1,
// spreads what failed together over a fifth of the time.
func backoff(attempts int, chance float64) time.Duration {
	d := retries[min(attempts, len(retries))-1]
	return d + time.Duration(float64(d)*0.2*chance)
}

// statusExpired is X.4.7 of RFC 3463: it has taken too long.
var statusExpired = enhanced{4, 4, 7}

// A resolution is what an attempt came to, for a letter.
type resolution struct {
	left    []mailbox.Addressee // to be tried again
	failed  []mailbox.Addressee // whose sender wants to know
	delayed []mailbox.Addressee // likewise
	relayed []mailbox.Addressee // delivered to a server that will not tell, and should
	delays  int                 // notices of delay that were due by now
	due     time.Time
}

// resolve decides what follows from an attempt. tells is whether the server takes
// requests for reports along.
func resolve(l *mailbox.Letter, verdicts []verdict, tells bool, now time.Time, maxAge time.Duration) resolution {
	res := resolution{delays: l.Delays}
	age := now.Sub(l.Created)
	for res.delays < len(noticesAfter) && age >= noticesAfter[res.delays] {
		res.delays++
	}
	for i, a := range l.To {
		v := verdicts[i]
		a.Status, a.Reason = v.status.String(), v.reason()
		switch {
		case v.outcome == delivered:
			if !tells && wants(a, "SUCCESS") {
				res.relayed = append(res.relayed, a)
			}
		case v.outcome == failed || age >= maxAge:
			if v.outcome == deferred {
				a.Status = statusExpired.String()
			}
			if wants(a, "FAILURE") {
				res.failed = append(res.failed, a)
			}
		default:
			res.left = append(res.left, a)
			if res.delays > l.Delays && wants(a, "DELAY") {
				res.delayed = append(res.delayed, a)
			}
		}
	}
	res.due = nextDue(l, res.delays, now, maxAge)
	return res
}

// nextDue returns when to try again: after a pause, or when a notice of delay or
// the end of the time is due, if that is sooner.
func nextDue(l *mailbox.Letter, delays int, now time.Time, maxAge time.Duration) time.Time {
	due := now.Add(backoff(l.Attempts+1, rand.Float64()))
	if end := l.Created.Add(maxAge); due.After(end) {
		due = end
	}
	if delays < len(noticesAfter) {
		if notice := l.Created.Add(noticesAfter[delays]); due.After(notice) {
			due = notice
		}
	}
	return due
}

// wants reports whether the sender wants to hear of that outcome. Without a wish,
// it is failure and delay (RFC 3461, 4.1).
func wants(a mailbox.Addressee, word string) bool {
	if a.Notify == "" {
		return word != "SUCCESS"
	}
	for w := range strings.SplitSeq(a.Notify, ",") {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// reason says in words for the sender why it came out that way.
func (v verdict) reason() string {
	if v.reply.code != 0 {
		return strings.TrimSpace(v.reply.String() + " " + v.reply.text)
	}
	if v.err != nil {
		return strings.TrimPrefix(v.err.Error(), "queue: ")
	}
	return ""
}

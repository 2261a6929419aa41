package queue

import (
	"bytes"
	"context"
	"errors"

	"github.com/restante/restante/mailbox"
)

// settle puts down what became of a letter, and reports it.
func (v *visit) settle(ctx context.Context, l *mailbox.Letter, verdicts []verdict, tells bool) error {
	res := resolve(l, verdicts, tells, v.now(), v.o.Limits.MaxAge)
	reports, err := v.reports(ctx, l, res)
	if err != nil {
		return err
	}
	if len(res.left) == 0 {
		return v.outbox.Finish(ctx, v.lease, l, reports...)
	}
	back := *l
	back.To, back.Delays, back.Due = res.left, res.delays, res.due
	return v.outbox.Requeue(ctx, v.lease, &back, reports...)
}

// summary says for the log what an attempt came to, in numbers.
func summary(verdicts []verdict) string {
	if len(verdicts) == 0 {
		return ""
	}
	v := verdicts[0]
	if v.err != nil {
		return v.status.String() + " " + v.reason()
	}
	return v.reply.String()
}

// reports composes what the sender is told. The null sender is told nothing, or
// reports about reports would go round in circles (RFC 5321, 4.5.5).
func (v *visit) reports(ctx context.Context, l *mailbox.Letter, res resolution) ([][]byte, error) {
	if l.From.IsZero() || len(res.failed)+len(res.delayed)+len(res.relayed) == 0 {
		return nil, nil
	}
	header, err := v.headerOf(ctx, l)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, kind := range []struct {
		action string
		about  []mailbox.Addressee
	}{{"failed", res.failed}, {"delayed", res.delayed}, {"relayed", res.relayed}} {
		if len(kind.about) == 0 {
			continue
		}
		r := report{
			action: kind.action, letter: l, about: kind.about, retry: l.Created.Add(v.o.Limits.MaxAge), health: v.Health(),
			header: header, hostname: v.o.Hostname, domain: v.o.Domain, now: v.now(),
		}
		text, err := r.compose()
		if err != nil {
			return nil, err
		}
		if text, err = v.sign(text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// headerOf reads the header of a letter. Of one that can't be read, the sender is
// told all the same.
func (v *visit) headerOf(ctx context.Context, l *mailbox.Letter) ([]byte, error) {
	message, err := v.outbox.Open(ctx, l)
	if errors.Is(err, mailbox.ErrCorrupt) || errors.Is(err, mailbox.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer message.Close()
	return readHeader(message)
}

// sign puts a signature before a report.
func (w *Worker) sign(text []byte) ([]byte, error) {
	if w.o.Sign == nil {
		return text, nil
	}
	header, err := w.o.Sign(bytes.NewReader(text))
	return append(header, text...), err
}

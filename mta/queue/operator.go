package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/restante/restante/mailbox"
)

// An Operator is the queue as `restante queue` shows it. Addresses are printed
// only with Addresses set; without it, letters are known by their ids.
type Operator struct {
	Outbox    *mailbox.Outbox
	Addresses bool
	Limit     int              // letters that List prints; 0 is all
	Now       func() time.Time // nil is time.Now
}

func (o *Operator) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// List prints a line for each letter: id, age, size, attempts, the time to the
// next one, recipients that are left, and the status of the last attempt. Beyond
// Limit, it prints how many there are.
func (o *Operator) List(ctx context.Context, out io.Writer) error {
	n := 0
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tAGE\tSIZE\tATTEMPTS\tNEXT\tRECIPIENTS\tLAST")
	err := o.Outbox.Each(ctx, func(l *mailbox.Letter) error {
		if n++; o.Limit > 0 && n > o.Limit {
			return nil
		}
		_, err := fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n",
			l.ID, o.age(l), l.Size, l.Attempts, o.next(l), o.recipients(l), lastStatus(l))
		return err
	})
	if err != nil {
		return fmt.Errorf("list queue: %w", err)
	}
	if err := t.Flush(); err != nil || o.Limit == 0 || n <= o.Limit {
		return err
	}
	_, err = fmt.Fprintf(out, "and %d more\n", n-o.Limit)
	return err
}

// Show prints what is known of one letter.
func (o *Operator) Show(ctx context.Context, out io.Writer, id mailbox.JobID) error {
	l, err := o.Outbox.Letter(ctx, id)
	if err != nil {
		return fmt.Errorf("show %s: %w", id, err)
	}
	lines := [][2]string{
		{"id", l.ID.String()}, {"since", l.Created.Format(time.RFC3339)}, {"size", fmt.Sprint(l.Size)},
		{"attempts", fmt.Sprint(l.Attempts)}, {"next attempt", o.next(l)}, {"delay notices", fmt.Sprint(l.Delays)},
		{"requires TLS", fmt.Sprint(l.RequireTLS)}, {"recipients", o.recipients(l)},
	}
	if o.Addresses {
		lines = append(lines, [2]string{"from", "<" + l.From.String() + ">"}, [2]string{"domain", l.Domain})
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(out, "%-14s %s\n", line[0]+":", line[1]); err != nil {
			return err
		}
	}
	return nil
}

// Why prints what the last attempt came to, for each recipient that is left.
func (o *Operator) Why(ctx context.Context, out io.Writer, id mailbox.JobID) error {
	l, err := o.Outbox.Letter(ctx, id)
	if err != nil {
		return fmt.Errorf("why %s: %w", id, err)
	}
	for i, a := range l.To {
		name := fmt.Sprintf("recipient %d", i+1)
		if o.Addresses {
			name = a.Address.String()
		}
		reason := strings.TrimSpace(a.Status + " " + a.Reason)
		if reason == "" {
			reason = "not tried yet"
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", name, reason); err != nil {
			return err
		}
	}
	return nil
}

// Retry makes a letter due now.
func (o *Operator) Retry(ctx context.Context, id mailbox.JobID) error {
	if err := o.Outbox.Hurry(ctx, id); err != nil {
		return fmt.Errorf("retry %s: %w", id, err)
	}
	return nil
}

// RetryAll makes every letter due now, and returns how many there are.
func (o *Operator) RetryAll(ctx context.Context) (int, error) {
	n := 0
	err := o.Outbox.Each(ctx, func(l *mailbox.Letter) error {
		err := o.Outbox.Hurry(ctx, l.ID)
		if errors.Is(err, mailbox.ErrGone) {
			return nil // delivered meanwhile
		}
		n++
		return err
	})
	if err != nil {
		return n, fmt.Errorf("retry all: %w", err)
	}
	return n, nil
}

// Drop removes a letter. Its sender is not told.
func (o *Operator) Drop(ctx context.Context, id mailbox.JobID) error {
	if err := o.Outbox.Drop(ctx, id); err != nil {
		return fmt.Errorf("drop %s: %w", id, err)
	}
	return nil
}

func (o *Operator) age(l *mailbox.Letter) string {
	if l.Created.IsZero() {
		return "damaged"
	}
	return o.now().Sub(l.Created).Round(time.Second).String()
}

func (o *Operator) next(l *mailbox.Letter) string {
	if d := l.Due.Sub(o.now()).Round(time.Second); d > 0 {
		return d.String()
	}
	return "now"
}

func (o *Operator) recipients(l *mailbox.Letter) string {
	if !o.Addresses {
		return fmt.Sprint(len(l.To))
	}
	var list []string
	for _, a := range l.To {
		list = append(list, a.Address.String())
	}
	return strings.Join(list, ",")
}

func lastStatus(l *mailbox.Letter) string {
	for _, a := range l.To {
		if a.Status != "" {
			return a.Status
		}
	}
	return "-"
}

package queue

import (
	"context"
	"errors"
	"time"
)

// send brings a message to the server, in as many transactions as it takes, and
// returns a verdict for each recipient in order. With an error the connection is
// of no further use; the recipients that nothing was said about are deferred
// then, with that error. A message may have been taken although its connection
// was lost before the reply: it will be sent again, and the receiver has to tell
// the second from the first (RFC 5321, 4.5.3.2.6).
func (c *client) send(ctx context.Context, p *parcel) ([]verdict, error) {
	defer c.link.during(ctx)()
	if v, ok := p.unfit(c.caps, c.verified); ok {
		return all(v, len(p.to)), nil
	}
	var verdicts []verdict
	for step := c.caps.maxRecipients(); len(verdicts) < len(p.to); {
		t := transaction{client: c, parcel: p, to: p.to[len(verdicts):min(len(verdicts)+step, len(p.to))]}
		err := t.run(ctx)
		verdicts = append(verdicts, t.verdicts...)
		if err != nil {
			return append(verdicts, all(trouble(err), len(p.to)-len(verdicts))...), err
		}
	}
	return verdicts, nil
}

func all(v verdict, n int) []verdict {
	vs := make([]verdict, n)
	for i := range vs {
		vs[i] = v
	}
	return vs
}

// A transaction is one mail on its way to one server: MAIL, RCPT, and the body by
// DATA or BDAT.
type transaction struct {
	*client
	parcel   *parcel
	to       []stop
	verdicts []verdict // one for each of to, once run has returned
}

// run carries the transaction out. Until the reply to the whole message, delivered
// means that the recipient was accepted.

func (t *transaction) run(ctx context.Context) error {
	t.verdicts = all(verdict{}, len(t.to))
	err := t.transfer(ctx)
	if err == nil {
		return nil
	}
	for i, v := range t.verdicts {
		if v.outcome == delivered || v.status == (enhanced{}) {
			t.verdicts[i] = trouble(err)
		}
	}
	return err
}

// transfer says everything. With CHUNKING, the body follows once a recipient is
// known to be wanted: that takes as many round trips as DATA, and a server that
// forgets to skip the chunk of a refused transaction can't take it for commands.
func (t *transaction) transfer(ctx context.Context) error {
	chunking := t.caps.has("CHUNKING")
	wanted, data, err := t.envelope(!chunking)
	if err != nil {
		return err
	}
	t.dirty = true
	if !chunking {
		return t.data(ctx, wanted, data)
	}
	if wanted == 0 {
		return nil
	}
	return t.chunks(ctx)
}

// envelope sends MAIL and RCPT, and DATA if that is asked for, and returns how
// many recipients were accepted and the reply to DATA.
func (t *transaction) envelope(withData bool) (wanted int, data reply, err error) {
	lines := t.commands(withData)
	replies := make([]reply, len(lines))
	if t.caps.has("PIPELINING") {
		err = t.exchangeAll(lines, replies)
	} else {
		err = t.exchangeEach(lines, replies)
	}
	if t.dirty {
		replies = replies[1:]
	}
	wanted = t.note(replies[0], replies[1:1+len(t.to)])
	if withData {
		data = replies[len(replies)-1]
	}
	return wanted, data, err
}

// note makes verdicts of the replies to MAIL and RCPT that came, and returns how
// many recipients were accepted.
func (t *transaction) note(mail reply, replies []reply) (wanted int) {
	for i, r := range replies {
		switch {
		case r.code == 0:
			continue
		case !mail.positive():
			t.verdicts[i] = judge(mail)
		default:
			t.verdicts[i] = judgeRecipient(r)
		}
		if t.verdicts[i].outcome == delivered {
			wanted++
		}
	}
	return wanted
}

// commands returns what is said before the body.
func (t *transaction) commands(withData bool) []string {
	var lines []string
	if t.dirty {
		lines = append(lines, "RSET")
	}
	lines = append(lines, t.parcel.mailCommand(t.caps))
	for i := range t.to {
		lines = append(lines, t.to[i].command(t.caps))
	}
	if withData {
		lines = append(lines, "DATA")
	}
	return lines
}

// exchangeAll sends all commands in one write (RFC 2920).
func (t *transaction) exchangeAll(lines []string, replies []reply) error {
	if err := t.write(lines...); err != nil {
		return t.lastWords(err)
	}
	for i, line := range lines {
		var err error
		if replies[i], _, err = t.reply(t.patience(line)); err != nil {
			return err
		}
	}
	return nil
}

// exchangeEach sends one command after the other, and none after the one that
// makes the rest pointless: those get its reply.
func (t *transaction) exchangeEach(lines []string, replies []reply) error {
	accepted := false
	for i, line := range lines {
		if line == "DATA" && !accepted {
			replies[i] = reply{code: 503}
			return nil
		}
		r, _, err := t.command(line, t.patience(line))
		if err != nil {
			return err
		}
		replies[i] = r
		if line[:4] == "MAIL" && !r.positive() {
			for j := i + 1; j < len(lines); j++ {
				replies[j] = r
			}
			return nil
		}
		accepted = accepted || line[:4] == "RCPT" && r.positive()
	}
	return nil
}

func (t *transaction) patience(line string) time.Duration {
	if line == "DATA" {
		return t.timeouts.DataStart
	}
	return t.timeouts.Command
}

// finish reads the reply to the whole message, which is that to each recipient.
func (t *transaction) finish() error {
	r, _, err := t.reply(t.timeouts.DataEnd)
	if err != nil {
		return err
	}
	t.dirty = !r.positive()
	t.decide(r)
	return nil
}

// decide makes a reply the verdict of those whose recipient was accepted.
func (t *transaction) decide(r reply) {
	for i, v := range t.verdicts {
		if v.outcome == delivered {
			t.verdicts[i] = judge(r)
		}
	}
}

// lastWords asks, after an error in writing, whether the server had said why it
// left.
func (t *transaction) lastWords(err error) error {
	if !errors.Is(err, errHungUp) {
		return err
	}
	r, _, readErr := t.reply(time.Second)
	if readErr == nil && !r.positive() {
		return &refusal{"further work", r}
	}
	var last *refusal
	if errors.As(readErr, &last) {
		return last
	}
	return err
}

package mta

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// Why we end a connection, with words for the client.
var (
	errStopping        = errors.New("mta: stopping")
	errIdle            = errors.New("mta: connection is idle")
	errSlow            = errors.New("mta: connection makes no progress")
	errTooManyErrors   = errors.New("mta: too many errors")
	errTooManyCommands = errors.New("mta: too many commands")
	errLongCommand     = errors.New("mta: command line too long")
	errBrokenOff       = errors.New("mta: message in chunks broken off")
	errAfterTLS        = errors.New("mta: plain text after STARTTLS")
)

// progressBytes is how much must come in each ProgressTimeout.
const progressBytes = 512

// receive sends the replies that are due and waits for the client.
func (w *wire) receive(b []byte) (int, error) {
	w.flush()
	if w.err != nil {
		return 0, w.err
	}
	idle, err := w.arm()
	if err != nil {
		return 0, w.end(err)
	}
	n, err := w.conn.Read(b)
	w.count(n, idle)
	w.lines += bytes.Count(b[:n], crlf[1:])
	switch {
	case w.dotCR.in(b[:n]):
		return 0, w.end(errBareCR)
	case n > 0 && w.err == nil:
		return n, nil
	}
	return 0, w.end(w.reason(idle, err))
}

// arm sets the deadline of the next read: between two commands IdleTimeout
// after the last reply, and inside a command or message ProgressTimeout after
// the last progress.
func (w *wire) arm() (idle bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	idle = w.phase == inCommands && !w.midLine
	if w.stopping && w.phase == inCommands {
		return idle, errStopping
	}
	deadline := w.mark.Add(w.limits.ProgressTimeout)
	if idle {
		deadline = w.replied.Add(w.limits.IdleTimeout)
	}
	if w.role == submission && !w.loggedIn {
		deadline = earlier(deadline, w.opened.Add(w.limits.LoginTimeout))
	}
	if err := w.conn.SetReadDeadline(deadline); err != nil {
		return idle, errLost
	}
	return idle, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// count notes the progress, which the first bytes after a pause are as well, and
// ends a connection that sends far more than any command or message may have.
func (w *wire) count(n int, first bool) {
	w.tally.bytes += int64(n)
	w.since += int64(n)
	w.progress += n
	if first || w.progress >= progressBytes {
		w.mark, w.progress = time.Now(), 0
	}
	if w.since > 2*w.limits.MaxMessage+lingerBytes {
		w.err = errLost
	}
}

// reason tells why a read gave nothing.
func (w *wire) reason(idle bool, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var timeout net.Error
	switch {
	case w.stopping && w.phase == inCommands:
		return errStopping
	case !errors.As(err, &timeout) || !timeout.Timeout():
		return errLost
	case idle:
		return errIdle
	}
	return errSlow
}

// end says why the connection ends, if there is somebody to hear it, and ends
// it.
func (w *wire) end(err error) error {
	if err != errLost && w.err == nil {
		r := replyTo(err, outcomes)
		w.say(r)
		w.flush()
	}
	return w.fail(errLost)
}

// fail makes err the outcome of every further Read, unless there is one.
func (w *wire) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

package web

import (
	"context"
	"time"

	"github.com/restante/restante/mailbox"
)

const (
	// maxLine bounds the sign-ups that wait for their turn. At shortRest it is a line
	// of two seconds.
	maxLine = 1000

	// A turn is followed by a rest as long as itself, within these bounds.
	shortRest = 2 * time.Millisecond
	longRest  = 100 * time.Millisecond

	// turnPatience is how long a sign-up waits for its turn.
	turnPatience = 10 * time.Second
)

// turns lets sign-ups go one after another, with a rest behind each. So a script that
// asks for thousands of accounts, whether it gets them or not, has at most half of one
// processor for all its connections, and those who read and write mail have the
// others. It is safe for concurrent use.
type turns struct {
	line chan struct{} // one for each that waits or has the turn
	turn chan struct{} // one while somebody has it, or rests
}

func newTurns() *turns {
	return &turns{line: make(chan struct{}, maxLine), turn: make(chan struct{}, 1)}
}

// take calls do when it is its turn, and returns what that returns. It is
// mailbox.ErrBusy if the line is too long or does not move, and the context's error if
// that ends.
func (t *turns) take(ctx context.Context, do func() error) error {
	select {
	case t.line <- struct{}{}:
	default:
		return mailbox.ErrBusy
	}
	defer func() { <-t.line }()
	patience := time.NewTimer(turnPatience)
	defer patience.Stop()
	select {
	case t.turn <- struct{}{}:
	case <-patience.C:
		return mailbox.ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	defer t.rest(time.Now())
	return do()
}

// rest gives the turn on, after the rest that a turn since began is followed by. The
// one whose turn it was does not wait for that.
func (t *turns) rest(began time.Time) {
	rest := min(max(time.Since(began), shortRest), longRest)
	time.AfterFunc(rest, func() { <-t.turn })
}

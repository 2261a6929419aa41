package imapd

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// TestWorking: while something takes its time the client hears of it, and a panic in
// it is no end of the process.
func TestWorking(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer ours.Close()
	c := newConn(t.Context(), New(Options{Limits: Limits{InProgress: time.Millisecond}}), theirs)
	defer theirs.Close()
	c.tag = "x1"
	heard := make(chan error, 1)
	go func() {
		r := bufio.NewReader(ours)
		for range 2 {
			if line, err := r.ReadString('\n'); line != "* OK [INPROGRESS (\"x1\" NIL NIL)] Still at it\r\n" {
				heard <- errors.Join(err, errors.New(line))
				return
			}
		}
		close(heard)
		_, _ = r.WriteTo(io.Discard)
	}()
	err := c.working(func() error {
		if err := <-heard; err != nil {
			t.Error(err)
		}
		return mailbox.ErrGone
	})
	if !errors.Is(err, mailbox.ErrGone) {
		t.Errorf("got error %v, want ErrGone", err)
	}
	if err := c.working(func() error { panic("x") }); !errors.Is(err, errPanic) {
		t.Errorf("got error %v after a panic", err)
	}
}

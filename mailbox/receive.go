package mailbox

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/restante/restante/internal/mime"
)

// Gate makes the judge of one message. The gate of a relay lets only encrypted
// mail pass (DESIGN §8.10); a nil Gate accepts everything.
type Gate func(GateOptions) Judge

// GateOptions is what a gate may need to know of a message besides its bytes.
type GateOptions struct {
	NullSender bool         // MAIL FROM:<>: a delivery status notification
	Walk       mime.Options // how the judge must walk the message
}

// Judge reads one message and decides. Write may refuse early with the error
// that says why, in words for a person; then nothing more is written and Close
// is not called. Close gives the verdict on the whole message, and its structure.
type Judge interface {
	io.Writer
	Close() (*mime.Message, error)
}

// ReceiveOptions says how to take a message in.
type ReceiveOptions struct {
	Gate       Gate
	NullSender bool
	MaxSize    int64 // 0 is no bound
}

// Receive reads one message from r to its end, through the gate, and holds it
// until Spooled.Close: in memory while it is small, else in a file sealed under
// a key that exists only in memory.
//
// Errors: ErrTooLarge; ErrRefused, which wraps the judge's error; ErrBusy when
// the room for messages being received is used up; ErrFull when the disk is; and
// r's own error. After an error the rest of r is unread.
func (s *Service) Receive(ctx context.Context, r io.Reader, o ReceiveOptions) (*Spooled, error) {
	if s.level() == spent {
		return nil, ErrFull
	}
	return s.receive(ctx, r, o)
}

// receive is Receive for mail of the relay's own, which comes in whatever room there
// is left.
func (s *Service) receive(ctx context.Context, r io.Reader, o ReceiveOptions) (*Spooled, error) {
	if s.closed() {
		return nil, ErrClosed
	}
	in := &intake{judge: s.judge(o), max: o.MaxSize, spool: s.newSpool()}
	m, err := in.run(ctx, r)
	if err != nil {
		_ = in.spool.close() // the first error is the one that tells
		return nil, err
	}
	return m, nil
}

func (s *Service) judge(o ReceiveOptions) Judge {
	walk := mime.Options{Keep: keptFields()}
	if o.Gate == nil {
		return mime.NewWalker(walk)
	}
	return o.Gate(GateOptions{NullSender: o.NullSender, Walk: walk})
}

// keptFields are the header fields kept beside the structure, so that listings
// which ask for them need not open bodies: what Delta Chat fetches of each new
// message, and References.
func keptFields() []string {
	return []string{"Message-ID", "Date", "From", "Content-Type", "References", "Chat-Version", "Chat-Is-Post-Message",
		"Secure-Join", "Autocrypt-Setup-Message", "X-Microsoft-Original-Message-ID"}
}

// KeepsField reports whether Info.Kept has the header fields of that name, in
// whatever case.
func KeepsField(name string) bool {
	return slices.ContainsFunc(keptFields(), func(kept string) bool { return strings.EqualFold(kept, name) })
}

func (s *Service) newSpool() *spool {
	return &spool{memory: s.spoolMemory, disk: s.spoolDisk, dir: s.o.TempDir}
}

// intake is one message on its way in.
type intake struct {
	judge Judge
	spool *spool
	max   int64
	size  int64
}

// intakeBuffers are used while a message comes in, and not while its sender
// rests between two.
var intakeBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (in *intake) run(ctx context.Context, r io.Reader) (*Spooled, error) {
	if err := in.readAll(ctx, r); err != nil {
		return nil, err
	}
	message, err := in.judge.Close()
	if err != nil {
		return nil, refused(err)
	}
	if err := in.spool.finish(); err != nil {
		return nil, err
	}
	return &Spooled{Message: message, Size: in.size, spool: in.spool}, nil
}

func (in *intake) readAll(ctx context.Context, r io.Reader) error {
	buf := intakeBuffers.Get().(*[32 << 10]byte)
	defer intakeBuffers.Put(buf)
	defer clear(buf[:])
	for ctx.Err() == nil {
		n, err := r.Read(buf[:])
		if e := in.take(buf[:n]); e != nil {
			return e
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// take passes some bytes by the judge to the spool.
func (in *intake) take(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	in.size += int64(len(p))
	if in.max > 0 && in.size > in.max {
		return ErrTooLarge
	}
	if _, err := in.judge.Write(p); err != nil {
		return refused(err)
	}
	_, err := in.spool.Write(p)
	return err
}

func refused(err error) error { return fmt.Errorf("%w: %w", ErrRefused, err) }

// Spooled is a message that was received and is not yet stored. It can be
// delivered and appended any number of times, by one goroutine at a time.
type Spooled struct {
	Message *mime.Message
	Size    int64

	spool *spool
	id    *contentID
}

// Close forgets the message and frees what it took. It may be called twice.
func (m *Spooled) Close() error {
	if err := m.spool.close(); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

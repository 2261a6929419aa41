package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/restante/restante/mailbox"
)

// The outcomes of Open that callers tell apart.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("the store is in use by another process")

	// ErrWrongKey: the store was made under another relay key.
	ErrWrongKey = errors.New("the relay key is not the one this store was made with")

	// ErrNotSynchronous: the server confirms commits that no standby has.
	ErrNotSynchronous = errors.New("the PostgreSQL server has no synchronous standby")

	// ErrNewer: the store was written by a newer version of the program.
	ErrNewer = errors.New("the store was written by a newer version")
)

// errTooLong ends a request that has used up the time of its transaction.
var errTooLong = fmt.Errorf("%w: the transaction took too long", mailbox.ErrBusy)

// damaged returns an ErrCorrupt that names what is damaged.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", mailbox.ErrCorrupt, fmt.Sprintf(format, args...))
}

// classify turns an error of the driver into one of the contract, if it is one
// that callers tell apart.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	outcome := sqliteOutcome(err)
	if outcome == nil {
		outcome = postgresOutcome(err)
	}
	if outcome == nil || errors.Is(err, outcome) {
		return err
	}
	return fmt.Errorf("%w: %w", outcome, err)
}

// classifyFile does the same for an error of the file system.
func classifyFile(err error) error {
	if err != nil && isFull(err) {
		return fmt.Errorf("%w: %w", mailbox.ErrFull, withoutPath(err))
	}
	return withoutPath(err)
}

// withoutPath drops the path, which holds a blob's name.
func withoutPath(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return fmt.Errorf("%s body file: %w", pe.Op, pe.Err)
	case errors.As(err, &le):
		return fmt.Errorf("%s body file: %w", le.Op, le.Err)
	}
	return err
}

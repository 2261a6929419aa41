package sqlstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// orphanAge is how old a file without a row must be to be swept away. A delivery
// that still has to commit is younger.
const orphanAge = 25 * time.Minute

// bodiesEvery is the time between two looks for bodies without a row. With the time
// that they are spared, nothing is left for an hour.
func (o *Options) bodiesEvery() time.Duration { return o.SweepEvery / 2 }

// startSweeper sweeps now and then until Close.
func (s *Store) startSweeper() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s.stopSweeper = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(s.opts.bodiesEvery())
		defer tick.Stop()
		for n := 0; ; n++ {
			sweep := s.Sweep
			if n%2 > 0 {
				sweep = s.large.sweep
			}
			if err := sweep(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.Warn("sweep failed", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Sweep removes what nothing needs any more: files of bodies that a crash left
// without a row, delivery ids and spent tickets past their time, and what deletions have left in the
// database's files. Open starts it by itself at once and then every
// Options.SweepEvery; bodies it looks for in between as well.
func (s *Store) Sweep(ctx context.Context) error {
	return errors.Join(s.large.sweep(ctx), s.forgetDeliveries(ctx), s.forgetSpent(ctx), s.erase(ctx), s.reserve.make())
}

func (s *Store) erase(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	defer s.leave()
	if err := s.engine.erase(ctx); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return nil
}

func (s *Store) sweepFiles(ctx context.Context) error {
	if s.files.holdBack(nil) {
		return nil // the next sweep will do
	}
	folders, err := os.ReadDir(s.files.dir)
	if err != nil {
		return fmt.Errorf("sweep bodies: %w", withoutPath(err))
	}
	for _, f := range folders {
		first, err := hex.DecodeString(f.Name())
		if err != nil || len(first) != 1 || !f.IsDir() {
			continue // not ours
		}
		if err := s.sweepFolder(ctx, first[0]); err != nil {
			return err
		}
	}
	return nil
}

// sweepFolder lists a folder before it asks what is on its way in, and reads the
// rows last: a file whose row comes in between is on its way or has a row, and one
// that comes later is not in the list. Its age alone would not do: a clock that
// leaps makes every file old.
func (s *Store) sweepFolder(ctx context.Context, first byte) error {
	folder := filepath.Join(s.files.dir, hex.EncodeToString([]byte{first}))
	names, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("sweep bodies: %w", withoutPath(err))
	}
	coming := s.files.expected()
	rows, err := s.filesOf(ctx, first)
	if err != nil {
		return err
	}
	for _, n := range names {
		if rows[n.Name()] || !s.orphan(n, coming) {
			continue
		}
		if err := os.Remove(filepath.Join(folder, n.Name())); err == nil {
			s.opts.Log.Info("removed a leftover body")
		}
	}
	return nil
}

// orphan reports whether a file that has no row is a body's, is not on its way in,
// and is old enough.
func (s *Store) orphan(n fs.DirEntry, coming map[seal.BlobID]bool) bool {
	blob, err := hex.DecodeString(strings.TrimSuffix(n.Name(), unfinished))
	if err != nil || len(blob) != len(seal.BlobID{}) || coming[seal.BlobID(blob)] {
		return false
	}
	info, err := n.Info()
	return err == nil && s.opts.Now().Sub(info.ModTime()) > orphanAge
}

const queryFilesOf = `SELECT blob_id FROM body_file WHERE blob_id BETWEEN $1 AND $2`

// filesOf returns the names of the files that have rows, of one folder.
func (s *Store) filesOf(ctx context.Context, first byte) (map[string]bool, error) {
	low, high := seal.BlobID{first}, seal.BlobID{first}
	for i := range high[1:] {
		high[1+i] = 0xff
	}
	names := make(map[string]bool)
	var blob seal.BlobID
	err := s.readOne(ctx, "sweep bodies", func(q querier) error {
		return q.each(queryFilesOf, []any{blobColumn{&blob}}, func() error {
			names[blob.String()] = true
			return nil
		}, low[:], high[:])
	})
	return names, err
}

const (
	queryOldDeliveries = `SELECT account_id, delivery_id FROM delivered WHERE day <= $1 LIMIT 500`
	queryForget        = `DELETE FROM delivered WHERE account_id = $1 AND delivery_id = $2 AND day <= $3`
)

// forgetDeliveries deletes old delivery ids, some at a time so that nobody waits
// long for the writer. A reader finds them: there is no index by day, since each
// delivery would pay for it.
func (s *Store) forgetDeliveries(ctx context.Context) error {
	last := s.today() - mailbox.DedupDays
	for {
		old, err := s.oldDeliveries(ctx, last)
		if err != nil || len(old) == 0 {
			return err
		}
		err = s.write(ctx, "forget deliveries", func(t *tx) error {
			for _, d := range old {
				if _, err := t.exec(queryForget, int64(d.Account), d.DeliveryID, int64(last)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

const (
	queryOldSpent    = `SELECT count(*) FROM spent WHERE last_day > 0 AND last_day < $1`
	queryForgetSpent = `DELETE FROM spent WHERE last_day > 0 AND last_day < $1`
)

// forgetSpent deletes what need not be remembered any more, if there is any.
func (s *Store) forgetSpent(ctx context.Context) error {
	today, old := int64(s.today()), 0
	err := s.readOne(ctx, "forget tickets", func(q querier) error {
		_, err := q.one(queryOldSpent, []any{&old}, today)
		return err
	})
	if err != nil || old == 0 {
		return err
	}
	return s.write(ctx, "forget tickets", func(t *tx) error {
		_, err := t.exec(queryForgetSpent, today)
		return err
	})
}

func (s *Store) oldDeliveries(ctx context.Context, last mailbox.Day) ([]mailbox.Delivery, error) {
	var old []mailbox.Delivery
	var d mailbox.Delivery
	err := s.readOne(ctx, "forget deliveries", func(q querier) error {
		return q.each(queryOldDeliveries, []any{num(&d.Account), &d.DeliveryID}, func() error {
			old = append(old, d)
			return nil
		}, int64(last))
	})
	return old, err
}

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Place is what a store is for. It is kept in the store, so that a copy is not
// served by mistake beside what it is a copy of: both would give the same UIDs to
// different messages.
type Place int

// The places of a store.
const (
	Served   Place = iota // a relay serves it
	Arriving              // a copy is coming in, and is not whole
	Copy                  // a whole copy: a backup
	Moved                 // its mail was moved to another store
)

// ErrPlace: the store is there, but not to be opened for this.
var ErrPlace = errors.New("the store can't be used for this")

// whyNot says what keeps a store from being used, and what to do.
var whyNot = map[Place]string{
	Served:   "it is a store that is served, not a copy",
	Arriving: "a copy into it was begun and not finished: run the same command again",
	Copy:     "it is a backup: `restante restore` makes a store of it",
	Moved:    "its mail was moved to another store, which is served now: name that one in the configuration, or move the mail back with `restante migrate`",
}

const (
	queryPlace    = `SELECT place FROM meta`
	querySetPlace = `UPDATE meta SET place = $1`
)

// place returns what the store is for.
func (q querier) place() (Place, error) {
	var p Place
	_, err := q.one(queryPlace, []any{num(&p)})
	return p, err
}

func (s *Store) placeNow(ctx context.Context) (p Place, err error) {
	err = s.readOne(ctx, "read place", func(q querier) error {
		p, err = q.place()
		return err
	})
	return p, err
}

// checkPlace refuses a store that is for something else than what it is opened for.
func (s *Store) checkPlace(ctx context.Context) error {
	p, err := querier{ctx, s.writer.on}.place()
	if err != nil {
		return err
	}
	allowed := s.opts.Places
	if allowed == nil {
		allowed = []Place{Served}
	}
	if slices.Contains(allowed, p) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrPlace, whyNot[p])
}

// SetPlace changes what the store is for.
func (s *Store) SetPlace(ctx context.Context, p Place) error {
	return s.write(ctx, "set place", func(t *tx) error {
		_, err := t.exec(querySetPlace, int64(p))
		return err
	})
}

const queryTakeIdentity = `UPDATE meta SET store_id = $1, place = 1 WHERE length(key_check) = 0`

// takeIdentity makes a store that was made a moment ago a copy of another.
func (s *Store) takeIdentity(ctx context.Context) error {
	if s.opts.CopyOf == nil {
		return nil
	}
	_, err := querier{ctx, s.writer.on}.exec(queryTakeIdentity, s.opts.CopyOf.id[:])
	return err
}

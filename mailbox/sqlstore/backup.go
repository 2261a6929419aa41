package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A backup is a folder with a store in it that is a Copy, and copies of that from
// former days:
//
//	restante.db, restante.db.bodies/    as at the last backup
//	daily/2026-11-23/restante.db, …     as at the last backup of that day
//
// The store is renewed in place, so that a backup costs what has changed since the
// last one. Large bodies never change: the days share them by hard links.
const (
	backupFile  = "restante.db"
	backupDaily = "daily"
)

// BackupOptions says how Backup works.
type BackupOptions struct {
	// Keep is how many days have a copy of their own besides the last backup.
	Keep int

	// Full has everything compared in the end (MirrorOptions.Full).
	Full bool

	Progress func(Progress)
}

// Backup makes or renews the backup of a store in a folder, while the store is in
// use. After an error the folder has the backup as it was, if nothing had been written
// yet, or one that is not whole: the former days' are there in any case, and the next
// Backup mends it.
func Backup(ctx context.Context, s *Store, dir string, o BackupOptions) (Progress, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Progress{}, fmt.Errorf("backup: %w", err)
	}
	to, err := Open(ctx, Options{Path: filepath.Join(dir, backupFile), CopyOf: s, Places: []Place{Arriving, Copy},
		Log: s.opts.Log, Now: s.opts.Now})
	if err != nil {
		return Progress{}, fmt.Errorf("backup: %w", err)
	}
	p, err := Mirror(ctx, s, to, MirrorOptions{Full: o.Full, Progress: o.Progress})
	if err == nil {
		err = to.SetPlace(ctx, Copy)
	}
	if err == nil {
		err = to.Sweep(ctx)
	}
	if err == nil && o.Keep > 0 {
		err = to.keepDay(ctx, filepath.Join(dir, backupDaily), o.Keep)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return p, fmt.Errorf("backup: %w", err)
	}
	return p, nil
}

// keepDay makes today's copy of a backup anew, and removes those of days that are
// long past. A copy has its name only when it is whole.
func (s *Store) keepDay(ctx context.Context, dir string, keep int) error {
	today := s.opts.Now().UTC().Format(time.DateOnly)
	path, unready := filepath.Join(dir, today), filepath.Join(dir, today+unfinished)
	if err := errors.Join(os.RemoveAll(unready), os.MkdirAll(unready, 0o700)); err != nil {
		return err
	}
	err := errors.Join(s.copyFile(ctx, filepath.Join(unready, backupFile)),
		s.files.linkAll(filepath.Join(unready, backupFile+".bodies")))
	if err != nil {
		return errors.Join(err, os.RemoveAll(unready))
	}
	if err := errors.Join(os.RemoveAll(path), os.Rename(unready, path), syncDir(dir)); err != nil {
		return err
	}
	return dropDays(dir, keep)
}

// dropDays removes all but the last days.
func dropDays(dir string, keep int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var days []string
	for _, e := range entries {
		if _, err := time.Parse(time.DateOnly, e.Name()); err == nil {
			days = append(days, e.Name())
		}
	}
	slices.Sort(days)
	for len(days) > keep {
		if err := os.RemoveAll(filepath.Join(dir, days[0])); err != nil {
			return err
		}
		days = days[1:]
	}
	return nil
}

// linkAll gives all files of bodies a second name in another folder, or copies them
// where names can't be shared.
func (b *bodyFiles) linkAll(dir string) error {
	return filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(b.dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if e.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		if os.Link(path, to) == nil {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return writeFile(to, content)
	})
}

// RestoreOptions says how Restore works.
type RestoreOptions struct {
	// Unfinished takes a backup that is not whole.
	Unfinished bool

	Progress func(Progress)
}

// Restore makes a store of a backup: of the folder of Backup, or of one of its days.
// o says where; there must be no store yet, or one that an interrupted Restore began.
// Every row and byte is compared, and every UIDVALIDITY raised before the store can
// be served, since mail has come after the backup that had UIDs.
func Restore(ctx context.Context, dir string, o Options, r RestoreOptions) (Progress, error) {
	from, err := openBackup(ctx, dir, o, r)
	if err != nil {
		return Progress{}, fmt.Errorf("restore: %w", err)
	}
	defer from.Close()
	p, err := receive(ctx, from, o, r.Progress, (*Store).RaiseUIDValidity)
	if err != nil {
		return p, fmt.Errorf("restore: %w", err)
	}
	return p, nil
}

// openBackup opens the store of a backup.
func openBackup(ctx context.Context, dir string, o Options, r RestoreOptions) (*Store, error) {
	path := filepath.Join(dir, backupFile)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no backup in %s: name the folder that `restante backup` wrote to, or one of those in its folder %s", dir, backupDaily)
	}
	places := []Place{Copy}
	if r.Unfinished {
		places = append(places, Arriving)
	}
	return Open(ctx, Options{Path: path, KeyCheck: o.KeyCheck, Places: places, Log: o.Log, Now: o.Now})
}

// receive makes a store the same as another and has it served, after a last step.
func receive(ctx context.Context, from *Store, o Options, progress func(Progress), last func(*Store, context.Context) error) (Progress, error) {
	o.CopyOf = from
	if o.Places == nil {
		o.Places = []Place{Arriving}
	}
	to, err := Open(ctx, o)
	if err != nil {
		return Progress{}, err
	}
	p, err := Mirror(ctx, from, to, MirrorOptions{Full: true, Progress: progress})
	if err == nil && last != nil {
		err = last(to, ctx)
	}
	if err == nil {
		err = to.CheckConsistency(ctx)
	}
	if err == nil {
		err = to.SetPlace(ctx, Served)
	}
	return p, errors.Join(err, to.Close())
}

// Move moves a store to another engine or place: from is not served by anybody any
// more, to is as from was in every row and byte, and clients notice nothing. to may
// be a store that was moved before. If it fails it can be called again, and goes on
// where it was; until it is done from can be served.
//
// from must have been opened with the Places Served and Moved, so that nobody else
// has it open.
func Move(ctx context.Context, from *Store, o Options, progress func(Progress)) (Progress, error) {
	o.Places = []Place{Arriving, Moved}
	if err := mayMove(ctx, from, &o); err != nil {
		return Progress{}, fmt.Errorf("move store: %w", err)
	}
	p, err := receive(ctx, from, o, progress, func(to *Store, ctx context.Context) error {
		return from.SetPlace(ctx, Moved)
	})
	if err != nil {
		return p, fmt.Errorf("move store: %w", err)
	}
	return p, nil
}

// mayMove refuses to move what was moved already, unless that was interrupted in its
// last step.
func mayMove(ctx context.Context, from *Store, o *Options) error {
	p, err := from.placeNow(ctx)
	if err != nil || p != Moved {
		return err
	}
	begun, err := Exists(ctx, *o)
	if err != nil {
		return err
	}
	if !begun {
		return fmt.Errorf("%w: %s", ErrPlace, whyNot[Moved])
	}
	o.Places = []Place{Arriving}
	return nil
}

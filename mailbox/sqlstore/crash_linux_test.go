package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/mailbox"
)

func init() { children["fill"] = childFill }

// TestFullDisk does as TestFull does, on a file system that is full: a small one
// in memory, which only a child in its own name space sees. Where the system
// allows no such thing, the child limits the pages of its database.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk", "mail.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := child(t.Context(), "fill", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) { // no name spaces for us
		cmd = child(t.Context(), "fill", path)
		out, err = cmd.CombinedOutput()
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Log(strings.TrimSpace(string(out)))
}

const diskSize = 12 << 20 // bytes

func childFill(path string) error {
	mounted := syscall.Mount("tmpfs", filepath.Dir(path), "tmpfs", 0, fmt.Sprint("size=", diskSize)) == nil
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: path, KeyCheck: keyOne})
	if err != nil {
		return err
	}
	if err := s.CreateAccount(ctx, testAccount(alice)); err != nil {
		return err
	}
	if !mounted {
		if err := limitPages(ctx, s, diskSize/4096); err != nil {
			return err
		}
	}
	rows, err := fillUp(ctx, s, 20_000)
	if !errors.Is(err, mailbox.ErrFull) {
		return fmt.Errorf("small bodies: got error %w after %d messages", err, len(rows))
	}
	if mounted {
		if _, err := fillUp(ctx, s, 1<<20); !errors.Is(err, mailbox.ErrFull) {
			return fmt.Errorf("large bodies: got error %w", err)
		}
	}
	if err := checkFull(ctx, s, len(rows)); err != nil {
		return err
	}
	fmt.Printf("%d messages fitted in; a file system of its own: %v", len(rows), mounted)
	return s.Close()
}

// checkFull reads what a full store has, and sees that it leaves nothing behind
// of what it refused.
func checkFull(ctx context.Context, s *Store, n int) error {
	c, err := s.Changes(ctx, alice, mailbox.Inbox, 0)
	if err != nil || len(c.Rows) != n {
		return fmt.Errorf("%d messages are there of %d stored: %w", len(c.Rows), n, err)
	}
	err = filepath.WalkDir(s.opts.BodyDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "store" {
			return fmt.Errorf("a body was left behind: %s", d.Name())
		}
		return err
	})
	return errors.Join(err, s.CheckConsistency(ctx))
}

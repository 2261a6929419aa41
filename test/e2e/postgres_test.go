//go:build e2e

package e2e

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// postgres is a PostgreSQL server of a test's own, reached by a socket.
type postgres struct {
	url string
	pid int
}

// startPostgres makes and starts a server, which ends with the test. It refuses to be
// root, so root runs it as the user whom its package has made. Unless a setting says
// otherwise it does not wait for the disk.
func startPostgres(t *testing.T, settings ...string) postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is needed: apt-get install postgresql")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "pg") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		attr.Credential = ordinaryUser(t)
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "restante", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	args := []string{"-D", filepath.Join(dir, "data"), "-k", dir, "-h", "", "-c", "fsync=off"}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	server := exec.Command(filepath.Join(bin, "postgres"), args...)
	server.SysProcAttr, server.Dir = attr, dir
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait() // it says that it was interrupted
	})
	awaitPostgres(t, filepath.Join(dir, "data", "postmaster.pid"))
	return postgres{"postgres://restante@/postgres?" + url.Values{"host": {dir}}.Encode(), server.Process.Pid}
}

// ordinaryUser is who runs the server.
func ordinaryUser(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// awaitPostgres waits until the server says in its file that it is ready.
func awaitPostgres(t *testing.T, pidFile string) {
	t.Helper()
	deadline := time.After(patience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if b, err := os.ReadFile(pidFile); err == nil && bytes.Contains(b, []byte("\nready")) {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("PostgreSQL was not ready after %v", patience)
		}
	}
}

//go:build unix

package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgServer is a PostgreSQL server of the tests' own: made by the installed
// programs in a folder of its own, and reached by a socket in it.
type pgServer struct {
	bin, dir string
	cmd      *exec.Cmd
	log      bytes.Buffer
	ended    chan struct{}
}

// pgBin returns the folder of the server's programs, or "" if there are none.
// Debian keeps them out of the path.
func pgBin() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	slices.SortFunc(found, func(a, b string) int { return pgMajor(a) - pgMajor(b) })
	return filepath.Dir(found[len(found)-1])
}

func pgMajor(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// needPostgres skips a test where there is no PostgreSQL.
func needPostgres(t testing.TB) (bin string) {
	t.Helper()
	if bin = pgBin(); bin == "" {
		t.Skip("there is no PostgreSQL here: install the package postgresql, so that initdb is in the path or in /usr/lib/postgresql")
	}
	return bin
}

// ordinary returns how to run the server's programs: they refuse to be root.
func ordinary() (*syscall.SysProcAttr, int, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr, os.Getuid(), nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, 0, err
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, 0, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}
		return attr, uid, nil
	}
	return nil, 0, errors.New("there is no ordinary user whom a server could run as")
}

// newPGServer makes a server's folder, which remove removes.
func newPGServer(bin string) (s *pgServer, err error) {
	dir, err := os.MkdirTemp("", "restante-pg-")
	if err != nil {
		return nil, err
	}
	s = &pgServer{bin: bin, dir: dir}
	_, uid, err := ordinary()
	if err == nil && uid != os.Getuid() {
		err = os.Chown(dir, uid, -1)
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *pgServer) remove() { os.RemoveAll(s.dir) }

func (s *pgServer) data() string { return filepath.Join(s.dir, "data") }

// program runs one of the server's programs to its end.
func (s *pgServer) program(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	attr, _, err := ordinary()
	if err != nil {
		return err
	}
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func (s *pgServer) initdb() error {
	return s.program("initdb", "-D", s.data(), "-U", "restante", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
}

// start starts the server and waits until it answers. No power cut threatens it,
// so it need not wait for the disk.
func (s *pgServer) start(settings ...string) error {
	args := []string{"-D", s.data(), "-k", s.dir, "-h", ""}
	for _, set := range append([]string{"fsync=off", "max_connections=250", "log_min_messages=warning"}, settings...) {
		args = append(args, "-c", set)
	}
	attr, _, err := ordinary()
	if err != nil {
		return err
	}
	dieWithParent(attr)
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.cmd.SysProcAttr, s.cmd.Dir, s.cmd.Stderr = attr, s.dir, &s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		s.cmd.Wait()
	}()
	return s.answers()
}

func (s *pgServer) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.url(""))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server has ended: %s", s.log.String())
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server at once, and its backends with it.
func (s *pgServer) stop(how syscall.Signal) {
	if s.cmd == nil {
		return
	}
	if how == syscall.SIGKILL { // the postmaster can't end its children any more
		syscall.Kill(-s.cmd.Process.Pid, how)
	}
	s.cmd.Process.Signal(how)
	<-s.ended
	s.cmd = nil
}

// url returns the URL of a schema.
func (s *pgServer) url(schema string) string {
	q := url.Values{"host": {s.dir}}
	if schema != "" {
		q.Set("search_path", schema)
	}
	return "postgres://restante@/postgres?" + q.Encode()
}

// sharedPG is the server of most tests. Each has a schema of its own on it.
var sharedPG struct {
	start   sync.Once
	server  *pgServer
	err     error
	schemas atomic.Int64
}

func init() { atEnd = append(atEnd, stopSharedPG) }

// stopSharedPG ends it with the tests.
func stopSharedPG() {
	if s := sharedPG.server; s != nil {
		s.stop(syscall.SIGQUIT)
		s.remove()
	}
}

func startSharedPG(bin string) (*pgServer, error) {
	s, err := newPGServer(bin)
	if err != nil {
		return nil, err
	}
	if err = s.initdb(); err == nil {
		err = s.start()
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// postgresOptions has a schema of the test's own, on a server that is started for
// the first.
func postgresOptions(t testing.TB) Options {
	t.Helper()
	bin := needPostgres(t)
	sharedPG.start.Do(func() { sharedPG.server, sharedPG.err = startSharedPG(bin) })
	if sharedPG.err != nil {
		t.Fatal(sharedPG.err)
	}
	schema := fmt.Sprint("test", sharedPG.schemas.Add(1))
	sharedPG.server.sql(t, "CREATE SCHEMA "+schema)
	return Options{URL: sharedPG.server.url(schema), KeyCheck: keyOne, CheckOnClose: true}
}

// sql runs a statement as the server's owner.
func (s *pgServer) sql(t testing.TB, text string) {
	t.Helper()
	ctx := t.Context()
	c, err := pgx.Connect(ctx, s.url(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, text); err != nil {
		t.Fatal(strings.SplitN(text, " ", 3)[:2], err)
	}
}

// promote makes a primary of a standby. What it still has to replay may cancel the
// query that asks for it; then it is asked again.
func (s *pgServer) promote(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	c, err := pgx.Connect(ctx, s.url(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for {
		var still bool
		err := c.QueryRow(ctx, "SELECT pg_is_in_recovery() AND NOT pg_promote()").Scan(&still)
		if err == nil && !still {
			return
		}
		var conflicts *pgconn.PgError
		if err != nil && (!errors.As(err, &conflicts) || conflicts.Code != "40001") {
			t.Fatal("promote: ", err)
		}
	}
}

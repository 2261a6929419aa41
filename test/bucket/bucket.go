// Package bucket runs an object store that speaks S3 on loopback, for tests:
// versitygw over a folder. Its program is built from the module in test/versitygw,
// which is apart from ours so that what it stands on is not among our requirements.
//
//	s := bucket.Start(t)
//	… s.Endpoint, s.Region, s.Name, s.CredentialsFile …
//	s.Down(true)
package bucket

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	accessKey = "restante"
	secretKey = "of-no-use-elsewhere"

	// patience bounds the wait for the server.
	patience = 2 * time.Minute
)

// Server is a running object store with one bucket.
type Server struct {
	Endpoint        string
	Region          string
	Name            string // of the bucket
	CredentialsFile string

	dir    string
	socket string
	ln     net.Listener
	log    bytes.Buffer

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
	busy  sync.WaitGroup
}

// program builds the server, or finds it in Go's cache, and returns where it is.
var program = sync.OnceValues(func() (string, error) {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(module)))
	cmd := exec.Command("go", "-C", filepath.Join(root, "test", "versitygw"), "tool", "-n", "versitygw")
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build versitygw, for which Go needs its module proxy once: %w\n%s", err, faults.String())
	}
	return strings.TrimSpace(string(out)), nil
})

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "s3") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Region: "us-east-1", Name: "bodies", CredentialsFile: filepath.Join(dir, "credentials"),
		dir: filepath.Join(dir, "buckets"), socket: filepath.Join(dir, "socket"), conns: map[net.Conn]bool{}}
	for _, folder := range []string{filepath.Join(s.dir, s.Name), filepath.Join(dir, "attributes")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	key := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", accessKey, secretKey)
	if err := os.WriteFile(s.CredentialsFile, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, exec.Command(path, "--quiet", "--port", s.socket, "--access", accessKey, "--secret", secretKey,
		"--region", s.Region, "posix", "--sidecar", filepath.Join(dir, "attributes"), s.dir))
	s.listen(t)
	return s
}

// run starts the server and waits until it listens.
func (s *Server) run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(patience)
	for {
		if c, err := net.Dial("unix", s.socket); err == nil {
			c.Close()
			return
		}
		select {
		case <-look.C:
		case <-ended:
			t.Fatalf("versitygw ended:\n%s", s.log.String())
		case <-deadline:
			t.Fatalf("versitygw did not listen within %v", patience)
		}
	}
}

// listen opens the port that clients use. The server itself is at a socket, so that no
// port has to be chosen for it.
func (s *Server) listen(t testing.TB) {
	t.Helper()
	var err error
	if s.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.Endpoint = "http://" + s.ln.Addr().String()
	s.busy.Go(func() {
		for {
			c, err := s.ln.Accept()
			if err != nil {
				return // closed
			}
			s.busy.Go(func() { s.carry(c) })
		}
	})
	t.Cleanup(func() {
		s.ln.Close()
		s.Down(true)
		s.busy.Wait()
	})
}

// carry connects a client with the server.
func (s *Server) carry(c net.Conn) {
	defer s.hold(c)()
	far, err := net.Dial("unix", s.socket)
	if err != nil {
		return
	}
	defer s.hold(far)()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, far) // until one of the two is closed
		c.Close()
	}()
	_, _ = io.Copy(far, c)
	far.Close()
	<-back
}

// hold closes a connection at the end, or when the server goes down.
func (s *Server) hold(c net.Conn) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	if s.down {
		c.Close()
	}
	return func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}
}

// Down cuts all connections and closes each new one at once, until it is called with
// false.
func (s *Server) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	for c := range s.conns {
		if down {
			c.Close()
		}
	}
}

// Objects returns what is in the bucket, by name.
func (s *Server) Objects(t testing.TB) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	root := filepath.Join(s.dir, s.Name)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err == nil {
			found[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Remove deletes an object behind the back of whoever put it there.
func (s *Server) Remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.dir, s.Name, filepath.FromSlash(name))); err != nil {
		t.Fatal(err)
	}
}

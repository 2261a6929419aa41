//go:build e2e && dovecot

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dovecotConf is Debian's Dovecot as its packager would set it up for one host: TLS
// only, Maildir, login processes that serve many connections. Nothing makes it
// slower than that.
const dovecotConf = `
protocols = imap
listen = 127.0.0.1
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = required
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
mail_location = maildir:%[1]s/mail/%%u
mail_max_userip_connections = 10000
first_valid_uid = 1
passdb {
  driver = static
  args = password=%[3]s
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=%[1]s/mail/%%u
}
service imap-login {
  service_count = 0
  client_limit = 4000
  process_min_avail = 2
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = %[2]d
    ssl = yes
  }
}
service imap {
  process_limit = 4000
}
service anvil {
  client_limit = 10000
}
service auth {
  client_limit = 10000
}
`

// startDovecot runs Debian's Dovecot with a folder of its own until the end of the
// test. It changes users, so that it takes root.
func startDovecot(t *testing.T) *imapServer {
	t.Helper()
	need(t, "dovecot", "dovecot-imapd")
	if os.Getuid() != 0 {
		t.Fatal("Dovecot changes users: run this as root")
	}
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	mail := filepath.Join(dir, "mail")
	if err := os.Mkdir(mail, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, owner := range map[string]int{dir: 0, mail: 65534} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	certificate(t, dir)
	port := freePort(t)
	conf := write(t, dir, "dovecot.conf", fmt.Sprintf(dovecotConf, dir, port, "secret"))
	cmd := exec.Command("dovecot", "-F", "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	s := &imapServer{name: "Dovecot", address: fmt.Sprintf("127.0.0.1:%d", port), user: "bob", password: "secret", pid: cmd.Process.Pid}
	s.waitUp(t, filepath.Join(dir, "log"))
	return s
}

// freePort returns a port that is free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// certificate makes one that nobody has to trust.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// imapServer is one of the two that are compared.
type imapServer struct {
	name, address, user, password string
	pid                           int // of the process above all others
}

// waitUp waits until the server takes connections.
func (s *imapServer) waitUp(t *testing.T, log string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for time.Now().Before(deadline) {
		c, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true}) // it is our own, on loopback
		if err == nil {
			c.Close()
			return
		}
		<-look.C
	}
	text, _ := os.ReadFile(log)
	t.Fatalf("%s does not answer:\n%s", s.name, text)
}

// processes lists the server's process and all below it.
func (s *imapServer) processes(t *testing.T) []int {
	t.Helper()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		var state string
		_, _ = fmt.Sscan(string(b), &pid)
		_, rest, _ := strings.Cut(string(b), ") ")
		if _, err := fmt.Sscan(rest, &state, &parent); err == nil {
			parents[pid] = parent
		}
	}
	pids := []int{s.pid}
	for i := 0; i < len(pids); i++ {
		for pid, parent := range parents {
			if parent == pids[i] {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// cpu returns the processor time that the server has used. That of processes which
// have ended is in their parents'.
func (s *imapServer) cpu(t *testing.T) time.Duration {
	t.Helper()
	ticks := 0
	for _, pid := range s.processes(t) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			n := 0
			_, _ = fmt.Sscan(field, &n)
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100) // USER_HZ, the same on all Linux
}

// memory returns what the server's processes have in memory, what they share counted
// once.
func (s *imapServer) memory(t *testing.T) int {
	t.Helper()
	sum := 0
	for _, pid := range s.processes(t) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			kb := 0
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kb); n == 1 {
				sum += kb << 10
			}
		}
	}
	return sum
}

// Package dovecot runs Debian's Dovecot for tests, as the provider that is not ours: on loopback, over TLS, with its mail
// in a folder that goes with the test. It changes users, so that it takes root.
package dovecot

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

// Password is that of every user: all names are users.
const Password = "secret"

// patience is how long it may take to answer at first.
const patience = 2 * time.Minute

// Server is a Dovecot that runs.
type Server struct {
	Address string // of IMAP over TLS
	CA      []byte // its certificate in PEM, for 127.0.0.1 and localhost
	PID     int    // of the process above all others
}

// conf is Dovecot as its packager would set it up for one host: TLS only, Maildir, login processes that serve many
// connections. Nothing makes it slower than that.
const conf = `
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

// Quota is configuration for Start: no user may keep more than so many messages.
func Quota(messages int) string {
	return fmt.Sprintf("mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n"+
		"plugin {\n  quota = maildir:User quota\n  quota_rule = *:messages=%d\n}\n", messages)
}

// Start runs a server until the end of the test, with more lines of configuration. Where there is no Dovecot, or the
// test is not root, it skips the test and says so.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("dovecot"); err != nil {
		t.Skip("dovecot is not installed: apt install dovecot-imapd")
	}
	if os.Getuid() != 0 {
		t.Skip("Dovecot changes users: run this as root")
	}
	dir := folders(t)
	ca := certificate(t, dir)
	port := freePort(t)
	write(t, dir, "dovecot.conf", []byte(fmt.Sprintf(conf, dir, port, Password)+strings.Join(more, "")))
	cmd := exec.Command("dovecot", "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	s := &Server{Address: fmt.Sprintf("127.0.0.1:%d", port), CA: ca, PID: cmd.Process.Pid}
	s.waitUp(t, filepath.Join(dir, "log"))
	return s
}

// folders makes them. They are not in t.TempDir: paths of sockets must be short, and another user needs the way in.
func folders(t testing.TB) string {
	t.Helper()
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
	return dir
}

// freePort returns a port that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// certificate makes one that signs itself, and returns it.
func certificate(t testing.TB, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, dir, "cert.pem", cert)
	write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return cert
}

func write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// waitUp waits until the server takes connections.
func (s *Server) waitUp(t testing.TB, log string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for time.Now().Before(deadline) {
		c, err := tls.Dial("tcp", s.Address, &tls.Config{InsecureSkipVerify: true}) // it is our own, on loopback
		if err == nil {
			c.Close()
			return
		}
		<-look.C
	}
	text, _ := os.ReadFile(log)
	t.Fatalf("Dovecot does not answer:\n%s", text)
}

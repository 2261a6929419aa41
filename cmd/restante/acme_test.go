package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/test/pebble"
)

// certified is a relay whose certificates an authority issues, and whose clock and
// hourly look the test moves.
type certified struct {
	*relay
	authority *pebble.Authority
	now       atomic.Pointer[time.Time]
	tick      chan time.Time
}

func newCertified(t *testing.T) *certified {
	t.Helper()
	c := &certified{tick: make(chan time.Time)}
	start := time.Now().Add(time.Minute) // what is issued during the test is valid by then
	c.now.Store(&start)
	cfg := demoConfig(t.TempDir(), "")
	cfg.Domain, cfg.Hostname, cfg.Policy.Operator = "relay.test", "mail.relay.test", "operator@relay.test"
	cfg.Listen.ACME = config.Listener{Address: freeAddress(t), Network: "shared"}
	cfg.Listen.HTTPS.Address = freeAddress(t)
	c.authority = pebble.Start(t, pebble.Options{HTTPPort: portIn(t, cfg.Listen.ACME.Address), TLSPort: portIn(t, cfg.Listen.HTTPS.Address)})
	c.authority.Refuse(t, "mta-sts.relay.test")
	cfg.TLS.ACME = config.ACME{Directory: c.authority.Directory, RootFile: filepath.Join(cfg.DataDir, "authority.pem")}
	if err := os.WriteFile(cfg.TLS.ACME.RootFile, c.authority.ServerRoots, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	o := relayOptions{now: func() time.Time { return *c.now.Load() }, acmeTick: c.tick}
	if c.relay, err = openRelay(t.Context(), cfg, slog.New(slog.DiscardHandler), os.Getenv, o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- c.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func portIn(t *testing.T, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// look moves the clock, and waits until the relay has looked after its certificates.
func (c *certified) look(t *testing.T, later time.Duration) []listen.CertState {
	t.Helper()
	now := c.now.Load().Add(later)
	c.now.Store(&now)
	for range 2 { // the second is taken when the first is done
		select {
		case c.tick <- now:
		case <-time.After(2 * time.Minute):
			t.Fatal("the relay does not look after its certificates")
		}
	}
	return c.acme.States()
}

// login connects as a mail client that trusts nobody but the authority.
func (c *certified) login(t *testing.T) (*imapclient.Client, *x509.Certificate) {
	t.Helper()
	return c.loginAt(t, *c.now.Load())
}

// loginAt is login of a client with a clock of its own.
func (c *certified) loginAt(t *testing.T, now time.Time) (*imapclient.Client, *x509.Certificate) {
	t.Helper()
	conn, err := c.dial(now)
	if err != nil {
		t.Fatal(err)
	}
	client := imapclient.New(conn, nil)
	t.Cleanup(func() { client.Close() })
	return client, conn.ConnectionState().PeerCertificates[0]
}

func (c *certified) dial(now time.Time) (*tls.Conn, error) {
	config := &tls.Config{RootCAs: c.authority.Roots(), ServerName: "mail.relay.test", Time: func() time.Time { return now }}
	return tls.Dial("tcp", c.ready().IMAPS, config)
}

func TestACME(t *testing.T) {
	t.Parallel()
	c := newCertified(t)
	for _, s := range c.look(t, 0) {
		if refused := s.Name == "mta-sts.relay.test"; refused != (s.Fault != nil) {
			t.Errorf("%s: %v", s.Name, s.Fault)
		}
	}
	early, first := c.login(t)
	if err := early.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	c.look(t, 61*24*time.Hour)
	late, second := c.login(t)
	if second.Equal(first) {
		t.Error("not renewed")
	}
	for name, client := range map[string]*imapclient.Client{"before": early, "after": late} {
		if err := client.Noop().Wait(); err != nil {
			t.Errorf("the client that came %s the renewal: %v", name, err)
		}
	}

	c.authority.Refuse(t, "mail.relay.test")
	if s := c.look(t, 20*24*time.Hour); s[0].Fault == nil {
		t.Error("a refusal is not told")
	}
	if _, third := c.login(t); third.Equal(first) { // and trusted
		t.Error("a refusal brought an old certificate back")
	}
}

// TestExpiredCertificate: while the authority refuses, IMAP goes on with a certificate
// that has expired, the operator gets a mail, and an hour after the authority has come
// to its senses there is a new one.
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	c := newCertified(t)
	operator, err := direct{c.service, c.cfg.Domain}.do(t.Context(), adminRequest{Op: opNew, Ref: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	c.look(t, 0)
	issued := *c.now.Load()
	early, first := c.login(t)
	if err := early.Login("operator@relay.test", operator.Secret).Wait(); err != nil {
		t.Fatal(err)
	}
	c.authority.Close()
	s := c.look(t, 91*24*time.Hour)
	if got := acmeStatus(s, *c.now.Load()); !strings.Contains(got, "EXPIRED on ") || !strings.Contains(got, "closed today") {
		t.Errorf("the status is %q", got)
	}
	if conn, err := c.dial(*c.now.Load()); err == nil {
		conn.Close()
		t.Error("the certificate that is shown has not expired")
	}
	late, same := c.loginAt(t, issued) // as somebody who goes on nevertheless
	if !same.Equal(first) {
		t.Error("another certificate is shown than the one that has expired")
	}
	if err := late.Login("operator@relay.test", operator.Secret).Wait(); err != nil {
		t.Errorf("IMAP does not go on: %v", err)
	}
	hasSubject(t, early, "The relay's certificate is not renewed")

	c.authority.Open()
	if s := c.look(t, time.Hour); s[0].Fault != nil {
		t.Errorf("an hour later it was not tried again: %v", s[0].Fault)
	}
	if _, second := c.loginAt(t, issued.Add(time.Hour)); second.Equal(first) {
		t.Error("there is no new certificate")
	}
	if err := early.Noop().Wait(); err != nil {
		t.Errorf("the client that was there all the time: %v", err)
	}
}

// hasSubject looks for a mail of the relay's own in the INBOX.
func hasSubject(t *testing.T, client *imapclient.Client, want string) {
	t.Helper()
	if _, err := client.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := client.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{Envelope: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, m := range list {
		subjects = append(subjects, m.Envelope.Subject)
	}
	if !slices.Contains(subjects, want) {
		t.Errorf("the operator has mail about %q, and none about %q", subjects, want)
	}
}

func TestCertificateStatus(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) []listen.CertState {
		return []listen.CertState{{Name: "mail.test", NotAfter: now.Add(d)}}
	}
	const day = 24 * time.Hour
	refused := in(30 * day)
	refused[0].Fault, refused[0].Since = errors.New("the authority refused: no"), now
	tests := []struct {
		name   string
		states []listen.CertState
		want   string
	}{
		{"fresh", in(30 * day), "good until 31 May 2026, by ACME"},
		{"21 days", in(20 * day), "warning, less than 21 days: good until 21 May 2026, by ACME"},
		{"7 days", in(6 * day), "WARNING, less than 7 days: good until 7 May 2026, by ACME"},
		{"1 day", in(day / 2), "WARNING, less than a day: good until 2 May 2026, by ACME"},
		{"expired", in(-day), "EXPIRED on 30 April 2026: clients refuse it, by ACME"},
		{"none", []listen.CertState{{Name: "mail.test"}}, "none yet: clients are shown one of the relay's own authority"},
		{"refused", refused, "good until 31 May 2026, by ACME; mail.test refused since 1 May, 12:00 UTC: the authority refused: no"},
	}
	for _, test := range tests {
		if got := acmeStatus(test.states, now); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestCertificateAlarm: the operator finds a mail that says what is wrong.
func TestCertificateAlarm(t *testing.T) {
	t.Parallel()
	r := openTestRelay(t, func(cfg *config.Config) { cfg.Policy.Operator = "operator@" + cfg.Domain })
	if _, err := (direct{r.service, r.cfg.Domain}).do(t.Context(), adminRequest{Op: opNew, Ref: "operator"}); err != nil {
		t.Fatal(err)
	}
	before, err := r.service.Census(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.tellOfCertificate(listen.CertState{Name: "mail.test", NotAfter: time.Now(), Fault: errors.New("no"), Since: time.Now()})
	after, err := r.service.Census(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Messages - before.Messages; got != 1 {
		t.Errorf("the operator got %d mails, want 1", got)
	}
}

package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// eventTime bounds the wait for what must come.
const eventTime = time.Minute

// outside is a gateway's two servers for other devices.
type outside struct {
	imap, smtp net.Listener
	client     *tls.Config
}

func (h *home) outside(t *testing.T) outside {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	o := outside{listenLoopback(t), listenLoopback(t), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}}
	server := &tls.Config{Certificates: web.TLS.Certificates}
	peer := func(net.Conn) mailbox.Peer { return "lan" }
	serve(t, func(ctx context.Context) error { return h.ServeIMAPTLS(ctx, tls.NewListener(o.imap, server), peer) })
	serve(t, func(ctx context.Context) error {
		return h.ServeSubmissionTLS(ctx, tls.NewListener(o.smtp, server), peer)
	})
	return o
}

func (o outside) dialIMAP(t *testing.T) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialTLS(o.imap.Addr().String(), &imapclient.Options{TLSConfig: o.client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (o outside) dialSMTP(t *testing.T) *smtp.Client {
	t.Helper()
	c, err := smtp.DialTLS(o.smtp.Addr().String(), o.client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestDevice: a device reads and sends with a password of its own, by TLS. Once it is
// revoked its connections are closed, and the password is of no use; others stay.
func TestDevice(t *testing.T) {
	t.Parallel()
	h := newHome(t, Account{Address: "alice@relay.test", SMTPS: "127.0.0.1:1"})
	o := h.outside(t)
	passwords := map[string]string{}
	for _, name := range []string{"phone", "tablet"} {
		var err error
		if passwords[name], err = h.AddDevice(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	user := h.Local().User
	imap, mail := o.dialIMAP(t), o.dialSMTP(t)
	if err := imap.Login(user, passwords["phone"]).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := mail.Auth(sasl.NewPlainClient("", user, passwords["phone"])); err != nil {
		t.Fatal(err)
	}
	other := o.dialIMAP(t)
	if err := other.Login(user, passwords["tablet"]).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := h.RevokeDevice(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-imap.Closed():
	case <-time.After(eventTime):
		t.Error("the revoked device's IMAP connection stays open")
	}
	if err := mail.Mail(user, nil); err == nil {
		t.Error("the revoked device goes on sending")
	}
	if err := o.dialIMAP(t).Login(user, passwords["phone"]).Wait(); err == nil {
		t.Error("the revoked password opens IMAP")
	}
	var answer *smtp.SMTPError
	if err := o.dialSMTP(t).Auth(sasl.NewPlainClient("", user, passwords["phone"])); !errors.As(err, &answer) || answer.Code != 535 {
		t.Errorf("the revoked password at SMTP: got %v, want 535", err)
	}
	if err := other.Noop().Wait(); err != nil {
		t.Errorf("the other device: %v", err)
	}
	h.scan(t, passwords["phone"], passwords["tablet"])
}

// TestDeviceNames: the list has the user's devices and not the mail client of this
// machine, which can't be revoked by its name either.
func TestDeviceNames(t *testing.T) {
	t.Parallel()
	h := newHome(t, Account{Address: "alice@relay.test", SMTPS: "127.0.0.1:1"})
	if _, err := h.AddDevice(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"phone": ErrDevice, "": ErrDeviceName, clientLabel: ErrDeviceName, strings.Repeat("x", 65): ErrDeviceName, "a\nb": ErrDeviceName,
	} {
		if _, err := h.AddDevice(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("add %q: got %v, want %v", name, err, want)
		}
	}
	list, err := h.Devices(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "phone" || time.Since(list[0].Added) > 48*time.Hour {
		t.Errorf("devices: %v, %v", list, err)
	}
	for _, name := range []string{clientLabel, "tablet"} {
		if err := h.RevokeDevice(t.Context(), name); !errors.Is(err, ErrNoDevice) {
			t.Errorf("revoke %q: got %v, want %v", name, err, ErrNoDevice)
		}
	}
}

// TestOutsideNeedsTLS: a listener that forgot TLS lets nobody in.
func TestOutsideNeedsTLS(t *testing.T) {
	t.Parallel()
	h := newHome(t, Account{Address: "alice@relay.test", SMTPS: "127.0.0.1:1"})
	for name, serveOn := range map[string]func(context.Context, net.Listener, ClientPeer) error{"imap": h.ServeIMAPTLS, "smtp": h.ServeSubmissionTLS} {
		ln := listenLoopback(t)
		stop := serve(t, func(ctx context.Context) error { return serveOn(ctx, ln, nil) })
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(eventTime)); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); len(got) > 0 || isTimeout(err) {
			t.Errorf("%s without TLS: got %q, %v", name, got, err)
		}
		c.Close()
		stop()
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// TestPhonesSettings: another host needs another authority; the same keeps it.
func TestPhonesSettings(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	t.Cleanup(func() { closeOrFail(t, v) })
	if p, err := LoadPhones(v); err != nil || !p.Off() {
		t.Fatalf("at first: %+v, %v", p, err)
	}
	want := Phones{Host: "192.168.1.5", IMAP: "192.168.1.5:1993", SMTP: "192.168.1.5:1465", Setup: "192.168.1.5:1443"}
	files := CertFiles{v}
	for _, step := range []struct {
		host string
		want error
	}{{"192.168.1.5", nil}, {"home.test", fs.ErrNotExist}} {
		if err := SavePhones(v, want); err != nil {
			t.Fatal(err)
		}
		if err := files.Write("key.pem", []byte("marker-key")); err != nil {
			t.Fatal(err)
		}
		want.Host = step.host
		if err := SavePhones(v, want); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadPhones(v); err != nil || got != want {
			t.Errorf("phones (-want +got):\n%s%v", cmp.Diff(want, got), err)
		}
		if _, err := files.Read("key.pem"); !errors.Is(err, step.want) {
			t.Errorf("the key, with host %s: got %v, want %v", step.host, err, step.want)
		}
	}
}

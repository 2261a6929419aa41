package provider

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

// everywhere returns a Finder to whom every host is one HTTPS server of the test.
func everywhere(t *testing.T, h http.HandlerFunc) Finder {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := NewClient(roots, nil)
	tr := c.Transport.(*http.Transport)
	tr.TLSClientConfig.ServerName = "example.com" // of the test's certificate
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	return Finder{Client: c}
}

const sampleConfig = `<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="b.example">
<incomingServer type="pop3"><hostname>pop.b.example</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>imap.b.example</hostname><port>143</port><socketType>STARTTLS</socketType></incomingServer>
<incomingServer type="imap"><hostname>imap.b.example</hostname><port>993</port><socketType>SSL</socketType>
 <username>%EMAILLOCALPART%</username><authentication>OAuth2</authentication><authentication>password-cleartext</authentication></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.b.example</hostname><port>25</port><socketType>plain</socketType></outgoingServer>
<outgoingServer type="smtp"><hostname>smtp.b.example</hostname><port>587</port><socketType>STARTTLS</socketType></outgoingServer>
</emailProvider></clientConfig>`

func TestFindByAutoconfig(t *testing.T) {
	t.Parallel()
	want := Servers{IMAP: Server{"imap.b.example", 993, false}, SMTP: Server{"smtp.b.example", 587, true}, User: "alice"}
	for _, place := range []string{"autoconfig.b.example/mail/config-v1.1.xml", "b.example/.well-known/autoconfig/mail/config-v1.1.xml"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			f := everywhere(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Host+r.URL.Path != place {
					http.NotFound(w, r)
					return
				}
				if r.URL.RawQuery != "" {
					t.Errorf("the provider was told %q", r.URL.RawQuery)
				}
				_, _ = w.Write([]byte(sampleConfig))
			})
			got, err := f.Find(t.Context(), addr.MustParse("alice@b.example"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// records is DNS: by service and domain.
type records map[string]*net.SRV

func (r records) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if s := r["_"+service+"._"+proto+"."+name]; s != nil {
		return "", []*net.SRV{s}, nil
	}
	return "", nil, errors.New("no such record")
}

func TestFindByDNS(t *testing.T) {
	t.Parallel()
	nothing := everywhere(t, http.NotFound)
	for _, c := range []struct {
		name string
		dns  records
		want Servers
	}{
		{"within the domain", records{"_imaps._tcp.b.example": {Target: "mail.b.example.", Port: 993}, "_submissions._tcp.b.example": {Target: "mail.b.example.", Port: 465}},
			Servers{IMAP: Server{"mail.b.example", 993, false}, SMTP: Server{"mail.b.example", 465, false}}},
		{"elsewhere", records{"_imaps._tcp.b.example": {Target: "mail.c.example.", Port: 993}, "_submission._tcp.b.example": {Target: "mail.b.example.", Port: 587}},
			Servers{IMAP: Server{"mail.c.example", 993, false}, SMTP: Server{"mail.b.example", 587, true}, Doubtful: true}},
		{"expressly none", records{"_imaps._tcp.b.example": {Target: "."}, "_submissions._tcp.b.example": {Target: "mail.b.example.", Port: 465}}, Servers{}},
		{"nothing", records{}, Servers{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := nothing
			f.Resolver = c.dns
			got, err := f.Find(t.Context(), addr.MustParse("alice@b.example"))
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (c.want != Servers{}) || err != nil && !strings.Contains(err.Error(), "--imap") {
				t.Errorf("got %v; an error must say what to do", err)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	a := addr.MustParse("alice@b.example")
	for _, c := range []struct{ name, file, say string }{
		{"no XML", "hello", "can't be read"},
		{"no TLS", strings.ReplaceAll(strings.ReplaceAll(sampleConfig, "SSL", "plain"), "STARTTLS", "plain"), "no imap server with TLS"},
		{"only OAuth", strings.ReplaceAll(strings.ReplaceAll(sampleConfig, "password-cleartext", "OAuth2"), "<socketType>STARTTLS", "<socketType>plain"), "app password"},
		{"a port beyond", strings.ReplaceAll(sampleConfig, "<port>", "<port>99"), "no imap server"},
	} {
		if _, err := parseConfig(strings.NewReader(c.file), a); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.say)
		}
	}
}

// FuzzConfig: whatever a file says, the servers that are taken from it have a host and
// a port.
func FuzzConfig(f *testing.F) {
	f.Add(sampleConfig)
	a := addr.MustParse("alice@b.example")
	f.Fuzz(func(t *testing.T, file string) {
		s, err := parseConfig(strings.NewReader(file), a)
		for _, one := range []Server{s.IMAP, s.SMTP} {
			if err == nil && (one.Host == "" || one.Port < 1 || one.Port > 65535) {
				t.Errorf("took %v", one)
			}
		}
	})
}

// TestSignUpWaits: a relay that is busy hands out a ticket, which is good after a
// while.
func TestSignUpWaits(t *testing.T) {
	t.Parallel()
	f := everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"email": "new@b.example", "password": "secret",
			"dclogin_url": "dclogin:new@b.example?p=secret&v=1&ih=b.example&sh=b.example"}
		if r.Method != http.MethodPost || r.URL.Path != "/new" || r.Header.Get("Authorization") != "Bearer T" {
			t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		if r.Header.Get("X-Restante-PoW") != "ticket" {
			answer = map[string]any{"reason": "busy", "ticket": "ticket", "wait": 7}
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	var waited time.Duration
	f.Wait = func(_ context.Context, d time.Duration) error { waited += d; return nil }
	got, err := f.SignUp(t.Context(), SignUp{URL: "https://b.example/new", Token: "T"})
	if err != nil {
		t.Fatal(err)
	}
	want := Login{Address: addr.MustParse("new@b.example"), Password: "secret",
		Servers: &Servers{IMAP: Server{"b.example", 993, false}, SMTP: Server{"b.example", 465, false}}}
	if diff := cmp.Diff(got, want, comparable); diff != "" {
		t.Error(diff)
	}
	if waited != 7*time.Second {
		t.Errorf("waited %v, want 7s", waited)
	}
}

func TestSignUpRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, say string }{
		{"closed", `{"reason":"sign-up is closed"}`, "sign-up is closed"},
		{"endless", `{"reason":"busy","ticket":"t","wait":1}`, "busy"},
		{"too long a wait", `{"reason":"come tomorrow","ticket":"t","wait":86400}`, "come tomorrow"},
		{"another kind of server", `<html>`, "is the link right?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := everywhere(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(c.body))
			})
			f.Wait = func(context.Context, time.Duration) error { return nil }
			_, err := f.SignUp(t.Context(), SignUp{URL: "https://b.example/new"})
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("got %v, want %q", err, c.say)
			}
		})
	}
}

// TestSignUpByFirstLogin: two accounts that were invented differ, and have passwords
// of 128 bits.
func TestSignUpByFirstLogin(t *testing.T) {
	t.Parallel()
	one, err := Finder{}.SignUp(t.Context(), SignUp{Host: "b.example"})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Finder{}.SignUp(t.Context(), SignUp{Host: "b.example"})
	if err != nil || one.Address == two.Address || one.Password == two.Password || len(one.Password) < 26 {
		t.Errorf("got %v and %v, %v", one, two, err)
	}
}

package web_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/restante/restante/web"
)

// TestServeStops: a request that does not come to its end does not keep the server
// from stopping.
func TestServeStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.web.Limits.Stop = 20 * time.Millisecond })
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ctx, ln) }()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The engine answers 100 when the handler reads the body, which never comes.
	fmt.Fprint(c, "POST /join HTTP/1.1\r\nHost: example.org\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	page, shown := w.owner(t, "joe")
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not stop")
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
	// No keys are left in memory for people who were logged in.
	w.act(t, page, "/account/device").want(t, http.StatusForbidden)
	w.enter(t, "joe", shown["Account password"]).want(t, http.StatusOK)
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Serve(t.Context(), ln); err == nil {
		t.Error("a listener that is closed is no error")
	}
}

func TestStrictTransportSecurity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ca   []byte
		want string
	}{
		{"trusted certificate", nil, "max-age=31536000"},
		{"own certificate", []byte("a certificate"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *options) { o.web.CA = tt.ca })
			s := httptest.NewTLSServer(w.server.Handler())
			defer s.Close()
			r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if got := answer.Header.Get("Strict-Transport-Security"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ports := web.Ports{IMAPS: 993, SMTPS: 465}
	for name, o := range map[string]web.Options{
		"nothing":        {},
		"no domain":      {Service: w.service, Signup: w.signup, Ports: ports},
		"another domain": {Service: w.service, Signup: w.signup, Ports: ports, Domain: "example.net"},
		"no IMAP":        {Service: w.service, Signup: w.signup, Domain: "example.org", Ports: web.Ports{SMTPS: 465}},
		"no submission":  {Service: w.service, Signup: w.signup, Domain: "example.org", Ports: web.Ports{IMAP: 143}},
	} {
		if _, err := web.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := web.New(web.Options{Service: w.service, Signup: w.signup, Domain: "Example.ORG", Ports: ports}); err != nil {
		t.Errorf("the least that is needed: %v", err)
	}
}

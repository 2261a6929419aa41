package queue

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodPolicy = "version: STSv1\nmode: enforce\nmx: mx.there.example\nmx: *.Backup.example\nmax_age: 86400\n"

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	good := stsPolicy{stsEnforce, []string{"mx.there.example", "*.backup.example"}, 24 * time.Hour}
	for _, c := range []struct {
		name, text string
		want       *stsPolicy
	}{
		{"good", goodPolicy, &good},
		{"CRLF", strings.ReplaceAll(goodPolicy, "\n", "\r\n"), &good},
		{"unknown field", goodPolicy + "color: blue\n", &good},
		{"second mode", goodPolicy + "mode: none\n", &good},
		{"none", "version: STSv1\nmode: none\nmax_age: 0\n", &stsPolicy{}},
		{"long", strings.Replace(goodPolicy, "86400", "99999999", 1), &stsPolicy{stsEnforce, good.names, maxPolicyAge}},
		{"another version", strings.Replace(goodPolicy, "STSv1", "STSv2", 1), nil},
		{"no version", strings.Replace(goodPolicy, "version", "vision", 1), nil},
		{"another mode", strings.Replace(goodPolicy, "enforce", "force", 1), nil},
		{"no servers", "version: STSv1\nmode: testing\nmax_age: 1\n", nil},
		{"negative age", strings.Replace(goodPolicy, "86400", "-1", 1), nil},
		{"too many servers", goodPolicy + strings.Repeat("mx: a.example\n", 100), nil},
		{"a page", "<html>not found</html>", nil},
		{"empty", "", nil},
	} {
		got, err := parsePolicy(c.text)
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(stsPolicy{})); d != "" || (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, d)
		}
	}
}

func TestPolicyMatches(t *testing.T) {
	t.Parallel()
	p := &stsPolicy{names: []string{"mx.there.example", "*.backup.example"}}
	for host, want := range map[string]bool{
		"mx.there.example": true, "a.backup.example": true, "backup.example": false, "a.b.backup.example": false,
		".backup.example": false, "mx.there.example.evil.example": false, "amx.there.example": false, "": false,
	} {
		if got := p.matches(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

// FuzzParsePolicy: a policy that was accepted is within bounds and says what to do.
func FuzzParsePolicy(f *testing.F) {
	f.Add(goodPolicy)
	f.Add("version: STSv1\nmode: none\nmax_age: 1")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePolicy(text)
		if err != nil {
			return
		}
		if p.maxAge < 0 || p.maxAge > maxPolicyAge || len(p.names) > maxPolicyMX || p.mode != stsNone && len(p.names) == 0 {
			t.Errorf("out of bounds: %+v", p)
		}
	})
}

// A policyHost serves a policy over HTTPS as mta-sts.there.example.
type policyHost struct {
	*httptest.Server
	text    atomic.Pointer[string]
	kind    string
	fetched atomic.Int32
}

func newPolicyHost(tb testing.TB, text string) *policyHost {
	tb.Helper()
	h := &policyHost{kind: "text/plain; charset=us-ascii"}
	h.text.Store(&text)
	h.Server = httptest.NewUnstartedServer(h)
	h.TLS, _ = certificate(tb)
	h.StartTLS()
	tb.Cleanup(h.Close)
	return h
}

func (h *policyHost) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.fetched.Add(1)
	if req.Host != "mta-sts.there.example" || req.URL.Path != "/.well-known/mta-sts.txt" {
		http.NotFound(w, req)
		return
	}
	text := *h.text.Load()
	if strings.HasPrefix(text, "/") {
		http.Redirect(w, req, text, http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", h.kind)
	_, _ = w.Write([]byte(text))
}

// transport reaches the host by whatever name.
func (h *policyHost) transport(tb testing.TB) http.RoundTripper {
	tb.Helper()
	_, config := certificate(tb)
	config.ServerName = ""
	return &http.Transport{
		TLSClientConfig: config, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", h.Listener.Addr().String())
		},
	}
}

// TestPolicyCache: a policy is fetched once for each id, outlives the host that it
// came from, and ends with its time.
func TestPolicyCache(t *testing.T) {
	t.Parallel()
	z := newZone(t, `_mta-sts.there.example. TXT "v=STSv1; id=1;"`)
	h := newPolicyHost(t, goodPolicy)
	now := time.Now()
	s := newPolicies(z.resolver(t), h.transport(t), func() time.Time { return now })
	mode := func() stsMode {
		if p := s.of(t.Context(), "there.example"); p != nil {
			return p.mode
		}
		return stsNone
	}
	steps := []struct {
		name    string
		do      func()
		want    stsMode
		fetched int32
	}{
		{"first", func() {}, stsEnforce, 1},
		{"same id", func() {}, stsEnforce, 1},
		{"new id", func() {
			text := strings.Replace(goodPolicy, "enforce", "testing", 1)
			h.text.Store(&text)
			z.change(func() { z.records["_mta-sts.there.example."] = nil })
			z.add(t, `_mta-sts.there.example. TXT "v=STSv1; " "id=2"`)
		}, stsTesting, 2},
		{"new id, bad policy", func() {
			text := "gone"
			h.text.Store(&text)
			z.change(func() { z.records["_mta-sts.there.example."] = nil })
			z.add(t, `_mta-sts.there.example. TXT "v=STSv1; id=3"`)
		}, stsTesting, 3},
		{"redirect", func() {
			text := "/elsewhere"
			h.text.Store(&text)
		}, stsTesting, 4},
		{"DNS silenced", func() { z.change(func() { z.broken["_mta-sts.there.example."] = true }) }, stsTesting, 4},
		{"too old", func() { now = now.Add(25 * time.Hour) }, stsNone, 4},
	}
	for _, step := range steps {
		step.do()
		if got := mode(); got != step.want || h.fetched.Load() != step.fetched {
			t.Errorf("%s: got mode %v after %d fetches, want %v after %d", step.name, got, h.fetched.Load(), step.want, step.fetched)
		}
	}
}

// TestPolicyTransport: a policy's host is found by our own resolver, and never on our
// own network, wherever DNS says that it is.
func TestPolicyTransport(t *testing.T) {
	t.Parallel()
	h := newPolicyHost(t, goodPolicy)
	for address, want := range map[string]bool{"192.0.2.9": true, "127.0.0.1": false, "10.0.0.1": false} {
		w := newWorld(t, false, `_mta-sts.there.example. TXT "v=STSv1; id=1"`, "mta-sts.there.example. A "+address)
		w.network.servers[address+":443"] = h.Listener.Addr().String()
		got := newPolicies(w.resolver, w.transport(), time.Now).of(t.Context(), "there.example")
		if (got != nil) != want {
			t.Errorf("host at %s: got %v, want a policy: %v", address, got, want)
		}
	}
}

// TestPolicyRefused: what is not text from a host with a good certificate is no
// policy, nor is one that is announced twice.
func TestPolicyRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		txt    []string
		change func(*policyHost) http.RoundTripper
	}{
		{"a page", []string{"v=STSv1; id=1"}, func(h *policyHost) http.RoundTripper { h.kind = "text/html"; return h.transport(t) }},
		{"too large", []string{"v=STSv1; id=1"}, func(h *policyHost) http.RoundTripper {
			text := goodPolicy + strings.Repeat("x: y\n", maxPolicy)
			h.text.Store(&text)
			return h.transport(t)
		}},
		{"untrusted", []string{"v=STSv1; id=1"}, func(h *policyHost) http.RoundTripper {
			tr := h.transport(t).(*http.Transport)
			tr.TLSClientConfig.RootCAs = nil
			return tr
		}},
		{"announced twice", []string{"v=STSv1; id=1", "v=STSv1; id=2"}, func(h *policyHost) http.RoundTripper { return h.transport(t) }},
		{"another version", []string{"v=STSv2; id=1"}, func(h *policyHost) http.RoundTripper { return h.transport(t) }},
		{"no id", []string{"v=STSv1"}, func(h *policyHost) http.RoundTripper { return h.transport(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			z := newZone(t)
			for _, txt := range c.txt {
				z.add(t, `_mta-sts.there.example. TXT "`+txt+`"`)
			}
			h := newPolicyHost(t, goodPolicy)
			h.Config.ErrorLog = quietLog
			s := newPolicies(z.resolver(t), c.change(h), time.Now)
			if p := s.of(t.Context(), "there.example"); p != nil {
				t.Errorf("got policy %+v, want none", p)
			}
		})
	}
}

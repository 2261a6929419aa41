package web_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/restante/restante/web"
)

// TestSTSPolicy: the policy is there under the name that RFC 8461, 3.3 gives, and
// under no other, and a change of it changes its id.
func TestSTSPolicy(t *testing.T) {
	t.Parallel()
	policy := &web.STSPolicy{Mode: "enforce", MX: []string{"mail.example.org"}}
	for _, c := range []struct {
		name, host string
		policy     *web.STSPolicy
		code       int
	}{
		{"there", "mta-sts.example.org", policy, 200},
		{"with a port", "MTA-STS.example.org:443", policy, 200},
		{"under another name", "example.org", policy, 404},
		{"no policy", "mta-sts.example.org", nil, 404},
	} {
		w := newWorld(t, func(o *options) { o.web.STS = c.policy })
		req := httptest.NewRequest("GET", "https://"+c.host+"/.well-known/mta-sts.txt", nil)
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, req)
		res := rec.Result()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != c.code {
			t.Errorf("%s: got %d, want %d", c.name, res.StatusCode, c.code)
		}
		const want = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmax_age: 604800\r\n"
		if c.code == 200 && (string(body) != want || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain")) {
			t.Errorf("%s: got %q as %s, want %q", c.name, body, res.Header.Get("Content-Type"), want)
		}
	}
	other := &web.STSPolicy{Mode: "testing", MX: policy.MX}
	if id := policy.ID(); id == other.ID() || len(id) > 32 || id == "" {
		t.Errorf("ids %q and %q: want two of at most 32 characters", id, other.ID())
	}
}

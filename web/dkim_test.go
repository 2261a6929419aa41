package web_test

import (
	"net/http/httptest"
	"testing"
)

// TestDKIMKey: the record of a key is where other relays look for that of an onion
// service.
func TestDKIMKey(t *testing.T) {
	t.Parallel()
	keys := func(selector string) (string, bool) { return "v=DKIM1; p=abc", selector == "r1" }
	for _, c := range []struct {
		name, path string
		keys       func(string) (string, bool)
		code       int
	}{
		{"there", "/.well-known/restante/dkim/r1", keys, 200},
		{"another key", "/.well-known/restante/dkim/r2", keys, 404},
		{"no keys", "/.well-known/restante/dkim/r1", nil, 404},
	} {
		w := newWorld(t, func(o *options) { o.web.DKIM = c.keys })
		rec := httptest.NewRecorder()
		w.server.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "https://example.org"+c.path, nil))
		if rec.Code != c.code || c.code == 200 && rec.Body.String() != "v=DKIM1; p=abc\n" {
			t.Errorf("%s: got %d and %q", c.name, rec.Code, rec.Body)
		}
	}
}

package queue

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOnionKeys: the DKIM key of an onion service comes from the service, by way of
// the proxy; DNS is asked nothing about it.
func TestOnionKeys(t *testing.T) {
	t.Parallel()
	web := http.NewServeMux()
	web.HandleFunc("GET "+KeyPath+"{selector}", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("selector") {
		case "good":
			w.Write([]byte("v=DKIM1; p=abc\n"))
		case "long":
			w.Write([]byte(strings.Repeat("x", maxKeyRecord+1)))
		case "moved":
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	proxy := newSocks(t, map[string]string{"there.onion:80": server.Listener.Addr().String()})
	z := newZone(t)
	r, err := z.resolver(t).Through(proxy.Address, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		found      bool
		gone       bool // for good
	}{
		{name: "good._domainkey.there.onion", want: "v=DKIM1; p=abc", found: true},
		{name: "none._domainkey.there.onion", gone: true},
		{name: "a/../b._domainkey.there.onion", gone: true},
		{name: "long._domainkey.there.onion"},
		{name: "moved._domainkey.there.onion"},
		{name: "good._domainkey.away.onion"},
		{name: "_dmarc.there.onion", gone: true},
		{name: "there.onion.", gone: true},
	} {
		got, err := r.LookupTXT(t.Context(), c.name)
		var known *net.DNSError
		if c.found {
			if err != nil || len(got) != 1 || got[0] != c.want {
				t.Errorf("%s: got %q and %v", c.name, got, err)
			}
			continue
		}
		if !errors.As(err, &known) || known.IsNotFound != c.gone {
			t.Errorf("%s: got %q and %v, gone for good: %v", c.name, got, err, c.gone)
		}
	}
	if _, err := r.LookupIPAddr(t.Context(), "there.onion"); err == nil {
		t.Error("an onion service has an address")
	}
	if _, err := z.resolver(t).LookupTXT(t.Context(), "good._domainkey.there.onion"); err == nil {
		t.Error("without a proxy: no error")
	}
	if len(z.asked) > 0 {
		t.Errorf("DNS was asked for %v", z.asked)
	}
}

// TestThroughForAll: with everything through the proxy, the resolver is reached that
// way too.
func TestThroughForAll(t *testing.T) {
	t.Parallel()
	z := newZone(t, `text.example. TXT "hello"`)
	proxy := newSocks(t, map[string]string{z.address: z.address})
	r, err := z.resolver(t).Through(proxy.Address, true)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := r.LookupTXT(t.Context(), "text.example")
	if err != nil || len(texts) != 1 || texts[0] != "hello" {
		t.Errorf("got %q and %v", texts, err)
	}
	if got := strings.Join(proxy.Asked(), " "); got != z.address {
		t.Errorf("the proxy was asked for %s", got)
	}
	if _, err := z.resolver(t).Through("", true); !errors.Is(err, errNoProxy) {
		t.Errorf("without a proxy: %v", err)
	}
}

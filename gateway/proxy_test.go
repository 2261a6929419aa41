package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/test/socks"
)

func TestProxyDialer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url string
		ok  bool
	}{
		{"socks5h://127.0.0.1:9050", true},
		{"socks5h://[::1]:9050", true},
		{"socks5h://user:secret@127.0.0.1:9050", true},
		{"socks5://127.0.0.1:9050", false}, // resolves names itself
		{"http://127.0.0.1:9050", false},
		{"127.0.0.1:9050", false},
		{"socks5h://localhost:9050", false},
		{"socks5h://user:secret@proxy.example:9050", false},
		{"socks5h://127.0.0.1", false},
		{"socks5h://127.0.0.1:0", false},
		{"socks5h://127.0.0.1:9050/secret", false},
		{"socks5h://127.0.0.1:9050?secret", false},
		{"socks5h://user:secret@%zz:9050", false},
	} {
		dial, err := ProxyDialer(c.url)
		if (err == nil) != c.ok || (dial != nil) != c.ok {
			t.Errorf("%s: got %v", c.url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats what it was given: %v", c.url, err)
		}
	}
	if dial, err := ProxyDialer(""); dial != nil || err != nil {
		t.Errorf("without a proxy: got a dialer, %v", err)
	}
}

// FuzzProxyDialer: what is taken for a proxy names the port of an IP address, so that no resolver is asked for it, and
// no error says again what it was given, which can hold a password.
func FuzzProxyDialer(f *testing.F) {
	f.Add("socks5h://user:pass-word@127.0.0.1:9050")
	f.Add("socks5h://[::1%25eth0]:9050")
	f.Add("socks5h://pass-word@proxy.example:9050/")
	f.Fuzz(func(t *testing.T, text string) {
		dial, err := ProxyDialer(text)
		if (dial != nil) != (err == nil && text != "") {
			t.Fatalf("%q: got a dialer: %v, error %v", text, dial != nil, err)
		}
		if err != nil {
			if !errors.Is(err, errProxyURL) || strings.Contains(err.Error(), "pass-word") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if text == "" {
			return
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if at, err := netip.ParseAddrPort(u.Host); err != nil || at.Port() == 0 {
			t.Errorf("%q: taken, with %q for an address", text, u.Host)
		}
	})
}

// behindProxy is an account of a relay whose name only the proxy knows.
func behindProxy(t *testing.T, r *testRelay) (Account, *socks.Proxy) {
	t.Helper()
	servers := map[string]string{"relay.test:993": r.imaps, "relay.test:465": r.smtps}
	p := socks.Serve(t, listenLoopback(t), func(target string) string { return servers[target] })
	a := r.account(t, "alice")
	a.IMAPS, a.SMTPS, a.Proxy = "relay.test:993", "relay.test:465", "socks5h://"+p.Address
	return a, p
}

// pastProxy is a client for the web that fails the test when it is used as it is.
func pastProxy(t *testing.T) *http.Client {
	errPast := errors.New("past the proxy")
	return &http.Client{Transport: &http.Transport{
		Proxy: func(*http.Request) (*url.URL, error) {
			t.Error("the environment was asked for another proxy")
			return nil, errPast
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("a domain was asked past the proxy")
			return nil, errPast
		},
	}}
}

// TestProxy: a login, mail and the question for a key go through the proxy, by names
// that nothing else resolves.
func TestProxy(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	account, proxy := behindProxy(t, r)
	h := newHome(t, account)
	closeOrFail(t, h.Gateway)
	var err error
	h.Gateway, err = Open(t.Context(), Options{
		Vault: h.vault, Store: h.store, TempDir: h.dir, Log: slog.New(slog.DiscardHandler), Web: pastProxy(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.upstream.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.submit(t, []string{account.Address}, plain(account.Address, account.Address, "", "to myself")); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	if got := len(r.inbox(t, account)); got != 1 {
		t.Errorf("got %d mails, want 1", got)
	}
	if err := h.submit(t, []string{"bob@stranger.test"}, plain(account.Address, "bob@stranger.test", "", "to a stranger")); err == nil {
		t.Error("mail to somebody without a key was taken")
	}
	got := proxy.Asked()
	slices.Sort(got)
	want := []string{"openpgpkey.stranger.test:443", "relay.test:465", "relay.test:993", "stranger.test:443"}
	if diff := cmp.Diff(slices.Compact(got), want); diff != "" {
		t.Error(diff)
	}
}

// TestProxyGone: without its proxy the gateway reaches nothing, not even what it could
// reach straight.
func TestProxyGone(t *testing.T) {
	t.Parallel()
	a := newRelay(t).account(t, "alice")
	ln := listenLoopback(t)
	a.Proxy = "socks5h://" + ln.Addr().String()
	closeOrFail(t, ln)
	u, err := a.Upstream()
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "through the proxy") {
		t.Errorf("got %v, want an error about the proxy", err)
	}
	a.Proxy = ""
	if u, err = a.Upstream(); err != nil {
		t.Fatal(err)
	}
	if err := u.Check(t.Context()); err != nil {
		t.Errorf("straight: %v", err)
	}
}

// TestProxyPairs: a second device comes by the same proxy, and not straight.
func TestProxyPairs(t *testing.T) {
	t.Parallel()
	want := Account{Address: "alice@relay.test", Password: "secret", IMAPS: "relay.test:993", SMTPS: "relay.test:465", Proxy: "socks5h://127.0.0.1:9050"}
	link, err := PairLink(want, "1-2-3")
	if err != nil {
		t.Fatal(err)
	}
	got, _, ok := ParsePairLink(link)
	if diff := cmp.Diff(got, want); !ok || diff != "" {
		t.Errorf("%v %s", ok, diff)
	}
}

// roundTripper is a transport of a kind that can't be led anywhere.
type roundTripper struct{ http.RoundTripper }

func TestProxyForeignTransport(t *testing.T) {
	t.Parallel()
	u := Upstream{Dial: new(net.Dialer).DialContext}
	if _, err := u.web(&http.Client{Transport: roundTripper{}}); err == nil {
		t.Error("a transport that could lead past the proxy was taken")
	}
	if web, err := u.web(nil); web != nil || err != nil {
		t.Errorf("nobody is to be asked: got %v, %v", web, err)
	}
}

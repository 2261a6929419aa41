package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// domains are the web servers of some domains: what is at each URL, and what was asked.
type domains struct {
	mu    sync.Mutex
	pages map[string]func(http.ResponseWriter)
	down  map[string]bool // hosts that do not answer
	asked []string
}

var errNoHost = fmt.Errorf("no such host")

// RoundTrip serves a request as the domain's server would.
func (d *domains) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.URL.String())
	if d.down[r.URL.Host] {
		return nil, errNoHost
	}
	w := httptest.NewRecorder()
	if serve := d.pages[r.URL.String()]; serve != nil {
		serve(w)
	} else {
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

func (d *domains) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	slices.Sort(asked)
	return asked
}

func served(b []byte) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.Write(b) }
}

// TestWKDURLs has the example that gpg-wks-client prints for the address.
func TestWKDURLs(t *testing.T) {
	t.Parallel()
	advanced, direct := wkdURLs(addr.MustParse("Joe.Doe@Example.ORG"))
	const hash = "iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
	if want := "https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/" + hash; advanced != want {
		t.Errorf("got %s, want %s", advanced, want)
	}
	if want := "https://example.org/.well-known/openpgpkey/hu/" + hash; direct != want {
		t.Errorf("got %s, want %s", direct, want)
	}
}

// TestWKD: a key that the domain has is found by either method, if it is the
// recipient's; and every other answer is as none.
func TestWKD(t *testing.T) {
	t.Parallel()
	bob, key := generate(t, "bob@x.test")
	_, other := generate(t, "carol@x.test")
	advanced, direct := wkdURLs(bob)
	only := map[string]bool{"openpgpkey.x.test": true}
	tests := []struct {
		name  string
		at    string
		page  func(http.ResponseWriter)
		down  map[string]bool
		want  bool
		asked []string
	}{
		{"advanced", advanced, served(key.Cert().Bytes()), nil, true, []string{advanced}},
		{"direct", direct, served(key.Cert().Bytes()), only, true, []string{direct, advanced}},
		{"the advanced answer counts", direct, served(key.Cert().Bytes()), nil, false, []string{advanced}},
		{"somebody else's", advanced, served(other.Cert().Bytes()), nil, false, []string{advanced}},
		{"no key", advanced, served([]byte("hello")), nil, false, []string{advanced}},
		{"too large", advanced, served(bytes.Repeat([]byte{0x99}, pgp.MaxCert+1)), nil, false, []string{advanced}},
		{"elsewhere", advanced, func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://other.test/")
			w.WriteHeader(http.StatusFound)
		}, nil, false, []string{advanced}},
		{"out of order", advanced, func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, nil, false, []string{direct, advanced}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, _ := newVault(t)
			net := &domains{pages: map[string]func(http.ResponseWriter){tt.at: tt.page}, down: tt.down}
			d := newDirectory(&http.Client{Transport: net}, NewContacts(v), time.Now)
			found, err := d.ask(t.Context(), []UnsendableTo{{bob, ErrNoKey}})
			must(t, err)
			if found != tt.want {
				t.Errorf("got %v, want %v", found, tt.want)
			}
			want := slices.Sorted(slices.Values(tt.asked))
			if diff := cmp.Diff(net.taken(), want); diff != "" {
				t.Errorf("asked: got - want +\n%s", diff)
			}
			p, err := d.contacts.Peer(bob)
			must(t, err)
			if (p.WKD == key.Fingerprint()) != tt.want {
				t.Errorf("known is %q", p.WKD)
			}
		})
	}
}

// TestWKDCache: a domain is asked once for what it has said, and again later.
func TestWKDCache(t *testing.T) {
	t.Parallel()
	bob, key := generate(t, "bob@x.test")
	advanced, direct := wkdURLs(bob)
	v, _ := newVault(t)
	net := &domains{pages: map[string]func(http.ResponseWriter){}, down: map[string]bool{}}
	clock := time.Now()
	d := newDirectory(&http.Client{Transport: net}, NewContacts(v), func() time.Time { return clock })
	ask := func(reason error) (bool, int) {
		t.Helper()
		found, err := d.ask(t.Context(), []UnsendableTo{{bob, reason}})
		must(t, err)
		return found, len(net.taken())
	}
	steps := []struct {
		name   string
		after  time.Duration
		reason error
		change func()
		found  bool
		asked  int
	}{
		{"nobody answers", 0, ErrNoKey, func() { net.down["x.test"], net.down["openpgpkey.x.test"] = true, true }, false, 2},
		{"so it is asked again", 0, ErrNoKey, func() { clear(net.down) }, false, 1},
		{"there was none", time.Minute, ErrNoKey, nil, false, 0},
		{"an hour later there is", wkdNone, ErrNoKey, func() { net.pages[advanced] = served(key.Cert().Bytes()) }, true, 1},
		{"it has expired", time.Hour, pgp.ErrExpired, nil, false, 0},
		{"a day later", wkdFresh, pgp.ErrExpired, nil, true, 1},
		{"a key that is held is nothing to ask about", 2 * wkdFresh, ErrHeld, nil, false, 0},
		{"gone", 0, ErrNoKey, func() { delete(net.pages, advanced) }, false, 1},
		{"the direct place is not looked at then", wkdFresh, ErrNoKey, func() { net.pages[direct] = served(key.Cert().Bytes()) }, false, 1},
	}
	for _, s := range steps {
		clock = clock.Add(s.after)
		if s.change != nil {
			s.change()
		}
		if found, asked := ask(s.reason); found != s.found || asked != s.asked {
			t.Errorf("%s: got %v and %d questions, want %v and %d", s.name, found, asked, s.found, s.asked)
		}
	}
}

// TestSendAsksDomains: a mail to somebody whose domain has their key goes out, and no
// domain is asked before, or about people whose key is known.
func TestSendAsksDomains(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	bobAccount := relay.account(t, "bob")
	bob, key := generate(t, bobAccount.Address)
	carol, carolKey := generate(t, "carol@y.test")
	advanced, _ := wkdURLs(bob)
	net := &domains{pages: map[string]func(http.ResponseWriter){advanced: served(key.Cert().Bytes())}}
	h := newHome(t, relay.account(t, "alice"))
	h.directory = newDirectory(&http.Client{Transport: net}, h.contacts, time.Now)
	h.knows(t, carol.String(), carolKey.Cert())
	h.sync(t)
	if asked := net.taken(); len(asked) > 0 {
		t.Errorf("asked %v before anything was sent", asked)
	}
	must(t, h.submit(t, []string{bob.String()}, plain("alice@relay.test", "bob@relay.test, carol@y.test", "", "x")))
	if diff := cmp.Diff(net.taken(), []string{advanced}); diff != "" {
		t.Errorf("asked: got - want +\n%s", diff)
	}
	h.flush(t)
	if inbox := relay.inbox(t, bobAccount); len(inbox) != 1 || !strings.Contains(openMail(t, inbox[0], key).text, "x") {
		t.Errorf("Bob has %d mails", len(inbox))
	}
	err := h.submit(t, []string{"dave@z.test"}, plain("alice@relay.test", "dave@z.test", "", "x"))
	if err == nil || !strings.Contains(err.Error(), "No key for dave@z.test") {
		t.Errorf("got %v, want that there is no key", err)
	}
}

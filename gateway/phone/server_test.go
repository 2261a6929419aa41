package phone

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// world is a server whose clock the test sets.
type world struct {
	*Server
	settings Settings
	now      time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{settings: testSettings(t), now: time.Unix(1_800_000_000, 0)}
	public := w.settings
	public.Address, public.Name, public.Password = "", "", ""
	w.Server = NewServer(Options{Host: "192.168.1.5", Port: 1443, Public: public, Now: func() time.Time { return w.now }})
	return w
}

// offer returns the path of a new link.
func (w *world) offer(t *testing.T) string {
	t.Helper()
	link, err := w.Offer(w.settings)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host != "192.168.1.5:1443" || len(u.Path) < 26 {
		t.Fatalf("link: %s, %v", link, err)
	}
	return u.Path
}

func (w *world) get(path string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	guard(w.mux).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "https://192.168.1.5:1443"+path, nil))
	return r
}

// TestOnce: the page can be looked at, and the settings are given once, in whichever form.
func TestOnce(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"restante.mobileconfig", "settings"} {
		w := newWorld(t)
		path := w.offer(t)
		for range 2 {
			if r := w.get(path); r.Code != http.StatusOK || strings.Contains(r.Body.String(), w.settings.Password) {
				t.Fatalf("the page: %d\n%s", r.Code, r.Body)
			}
		}
		if r := w.get(path + "restante.cer"); r.Code != http.StatusOK || r.Body.String() != string(w.settings.CA) {
			t.Errorf("the authority: %d", r.Code)
		}
		r := w.get(path + form)
		if r.Code != http.StatusOK || !strings.Contains(r.Body.String(), w.settings.Password) {
			t.Errorf("%s: %d\n%s", form, r.Code, r.Body)
		}
		if form == "restante.mobileconfig" && r.Header().Get("Content-Type") != ProfileType {
			t.Errorf("the profile is sent as %s", r.Header().Get("Content-Type"))
		}
		if r.Header().Get("Cache-Control") != "no-store" {
			t.Error("the settings may stay in a cache")
		}
		for _, again := range []string{"restante.mobileconfig", "settings", "restante.cer", ""} {
			if r := w.get(path + again); r.Code != http.StatusGone || strings.Contains(r.Body.String(), w.settings.Password) {
				t.Errorf("%s after %s: %d, want %d", again, form, r.Code, http.StatusGone)
			}
		}
	}
}

// TestEnds: a link ends with its time, and with its device; others go on.
func TestEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	early := w.offer(t)
	w.now = w.now.Add(OfferTerm)
	if r := w.get(early + "settings"); r.Code != http.StatusGone {
		t.Errorf("after its time: %d", r.Code)
	}
	revoked := w.offer(t)
	w.settings.Device = "tablet"
	other := w.offer(t)
	w.Withdraw("Ann's <phone>")
	if r := w.get(revoked); r.Code != http.StatusGone {
		t.Errorf("withdrawn: %d", r.Code)
	}
	if r := w.get(other); r.Code != http.StatusOK {
		t.Errorf("the other device: %d", r.Code)
	}
}

// TestBounds: open links are bounded, and those that have ended don't count.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range maxOffers {
		w.offer(t)
	}
	if _, err := w.Offer(w.settings); !errors.Is(err, ErrTooManyOffers) {
		t.Errorf("one more: got %v", err)
	}
	w.now = w.now.Add(OfferTerm)
	w.offer(t)
}

// TestStrangers: who has no link learns ports, and no names.
func TestStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.offer(t)
	for path, want := range map[string]int{
		"/": http.StatusNotFound, "/x/": http.StatusGone, "/x/settings": http.StatusGone, "/x/restante.mobileconfig": http.StatusGone,
		"/style.css": http.StatusOK, "/mail/config-v1.1.xml": http.StatusOK, "/.well-known/autoconfig/mail/config-v1.1.xml": http.StatusOK,
	} {
		r := w.get(path)
		if r.Code != want {
			t.Errorf("%s: got %d, want %d", path, r.Code, want)
		}
		for _, secret := range []string{w.settings.Password, w.settings.Address, "Ann"} {
			if strings.Contains(r.Body.String(), secret) {
				t.Errorf("%s tells %q", path, secret)
			}
		}
	}
	if body := w.get("/mail/config-v1.1.xml").Body.String(); !strings.Contains(body, strconv.Itoa(w.settings.IMAP)) {
		t.Errorf("autoconfig has no port:\n%s", body)
	}
}

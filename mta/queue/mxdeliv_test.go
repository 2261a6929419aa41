package queue

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// A post office takes mail over HTTPS as mx.there.example, and SMTP beside it if it
// has a sink.
type postOffice struct {
	*httptest.Server

	mu     sync.Mutex
	mails  []sunk
	asked  int
	status int // of answers; 0 takes everything
	text   string
}

func newPostOffice(t *testing.T, h *house) *postOffice {
	t.Helper()
	p := &postOffice{}
	p.Server = httptest.NewUnstartedServer(p)
	p.TLS, _ = certificate(t)
	p.Config.ErrorLog = quietLog
	p.StartTLS()
	t.Cleanup(p.Close)
	h.network.set("192.0.2.1:443", p.Listener.Addr().String())
	return p
}

func (p *postOffice) answer(status int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.text = status, text
}

func (p *postOffice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.status != 0 {
		http.Error(w, p.text, p.status)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/mxdeliv" || r.Host != "mx.there.example" {
		http.Error(w, "500 5.5.1 not a delivery", http.StatusBadRequest)
		return
	}
	p.mails = append(p.mails, sunk{From: r.Header.Get("X-Mail-From"), To: r.Header["X-Mail-To"], Body: string(body)})
	_, _ = io.WriteString(w, "250 Ok\r\n")
}

func (p *postOffice) got() (mails []sunk, asked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails), p.asked
}

// TestHTTPS: a relay that takes mail over HTTPS gets it so, whole, with nothing that
// tells about us.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.network.set("192.0.2.1:25", "") // port 25 is blocked
	p := newPostOffice(t, h)
	h.start(t, func(o *Options) { o.HTTPS = true })
	text := letter("by courier")
	h.send(t, text, "bert@there.example", "carl@there.example")
	until(t, "the queue is empty", func() bool { return len(h.queued(t)) == 0 })
	mails, _ := p.got()
	if len(mails) != 1 || mails[0].From != "anna@here.example" || mails[0].Body != text ||
		!slices.Equal(mails[0].To, []string{"bert@there.example", "carl@there.example"}) {
		t.Errorf("got %+v", mails)
	}
	if reports := h.inbox(t); len(reports) != 0 {
		t.Errorf("there are reports: %q", reports)
	}
}

// TestHTTPSFallsBack: whatever goes wrong over HTTPS, SMTP brings the mail, and tells
// of each recipient apart.
func TestHTTPSFallsBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*testing.T, *house, *postOffice)
		to     string
		asked  int // after two letters
	}{
		{"refused", func(_ *testing.T, _ *house, p *postOffice) { p.answer(400, "550 5.1.1 no such user") }, "bert@there.example", 2},
		{"busy", func(_ *testing.T, _ *house, p *postOffice) { p.answer(503, "451 4.3.0 later") }, "bert@there.example", 2},
		{"another web server", func(_ *testing.T, _ *house, p *postOffice) { p.answer(404, "<html>not found") }, "bert@there.example", 1},
		{"redirect", func(_ *testing.T, _ *house, p *postOffice) { p.answer(302, "elsewhere") }, "bert@there.example", 1},
		{"bad certificate", func(t *testing.T, _ *house, p *postOffice) {
			pair, err := newCertificate([]string{"mx.there.example"}, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			p.TLS.Certificates[0] = pair
		}, "bert@there.example", 0},
		{"nobody there", func(_ *testing.T, h *house, _ *postOffice) { h.network.set("192.0.2.1:443", "") }, "bert@there.example", 0},
		{"reports wanted", func(*testing.T, *house, *postOffice) {}, "bert@there.example/SUCCESS", 0},
		{"policy of others", func(t *testing.T, h *house, _ *postOffice) {
			h.sts.remember("there.example", knownPolicy{&stsPolicy{mode: stsEnforce, names: []string{"mx.there.example"}}, "1", time.Now().Add(time.Hour)})
			h.zone.add(t, "there.example. MX 5 mx2.there.example.", "mx2.there.example. A 192.0.2.1")
		}, "bert@there.example", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			p := newPostOffice(t, h)
			c.change(t, h, p)
			h.start(t, func(o *Options) { o.HTTPS, o.Limits.Idle = true, time.Nanosecond })
			for i := range 2 {
				h.send(t, letter("by foot"), c.to)
				until(t, "it is there", func() bool { return len(h.sink.got()) == i+1 })
				until(t, "the connection has ended", func() bool {
					h.advance(time.Millisecond)
					return h.sink.ended() == 2*(i+1)
				})
			}
			if mails, asked := p.got(); len(mails) != 0 || asked != c.asked {
				t.Errorf("asked %d times over HTTPS and brought %d mails, want %d and none", asked, len(mails), c.asked)
			}
		})
	}
}

// TestHTTPSAskedAgain: a host that takes no mail over HTTPS is asked again after a
// while, and at once when SMTP does not get through.
func TestHTTPSAskedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := newPostOffice(t, h)
	p.answer(404, "not found")
	c := newCourier(h.router, h.now)
	bring := func() bool {
		return c.deliver(t.Context(), "there.example", newParcel("text\r\n", "bert@there.example"))
	}
	for _, step := range []struct {
		name  string
		do    func()
		want  bool
		asked int
	}{
		{"first", func() {}, false, 1},
		{"at once again", func() {}, false, 1},
		{"later", func() { h.advance(httpsAgain) }, false, 2},
		{"without a way for SMTP", func() { c.forget(t.Context(), "there.example") }, false, 3},
		{"when it is there", func() { p.answer(0, ""); h.advance(httpsAgain) }, true, 4},
	} {
		step.do()
		if got := bring(); got != step.want {
			t.Errorf("%s: delivered %v, want %v", step.name, got, step.want)
		}
		if _, asked := p.got(); asked != step.asked {
			t.Errorf("%s: asked %d times, want %d", step.name, asked, step.asked)
		}
	}
}

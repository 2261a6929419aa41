package web_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web"
)

// TestNothingOfVisitorsIsKept: no line of the log, at its most talkative, has the
// address of a visitor's machine, what he typed or what he was shown.
func TestNothingOfVisitorsIsKept(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	w := newWorld(t, withTokens(t, web.Open), withFault(&broken))
	page, shown := w.owner(t, "joe")
	marks := []string{"127.0.0.1", "joe@example.org", "marked-agent", "marked-label", "marked-password", "k3xq7mzp2"}
	for _, s := range shown {
		marks = append(marks, s)
	}
	page = w.act(t, page, "/account/device", "label", "marked-label")
	marks = append(marks, secretIn(t, page))
	w.act(t, page, "/account/publish", "text", "marked-password")
	w.enter(t, "joe", "marked-password")
	w.enter(t, "marked-password@example.org", "x")
	w.post(t, "/account/recover", url.Values{"address": {"joe"}, "code": {"marked-password"}})
	w.post(t, "/join", url.Values{"token": {"marked-password"}, "name": {"joe"}})
	w.newAccount(t, http.StatusOK, "User-Agent: marked-agent", "X-Forwarded-For: 192.0.2.7")
	w.get(t, "/marked-password?joe@example.org")
	if _, err := w.service.Login(t.Context(), mailbox.Login{User: "k3xq7mzp2", Secret: "marked-password"}); err != nil {
		t.Error(err)
	}
	w.speakNonsense(t)
	broken.Store(true)
	w.post(t, "/account/logout", anyVisit).want(t, http.StatusInternalServerError)
	if !strings.Contains(w.log.String(), "request failed") {
		t.Error("this test reads the wrong log")
	}
	for _, m := range append(marks, "192.0.2.7") {
		if strings.Contains(w.log.String(), m) {
			t.Errorf("the log has %q:\n%s", m, w.log)
		}
	}
}

// anyVisit is a form of the account page, of a visit that is nobody's.
var anyVisit = url.Values{"visit": {strings.Repeat("A", 26) + ".0"}}

// withFault gives a world a clock that panics while broken.
func withFault(broken *atomic.Bool) func(*options) {
	return func(o *options) {
		now := o.web.Now
		o.web.Now = func() time.Time {
			if broken.Load() {
				panic("a loose thread")
			}
			return now()
		}
	}
}

// speakNonsense has the HTTP engine complain.
func (w *world) speakNonsense(t *testing.T) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /marked-password HTTP/1.1\r\nHost: a b\r\nmarked-agent\r\n\r\n")
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 400") {
		t.Errorf("got %q, %v", line, err)
	}
}

// TestUnknownErrorsStayInside: what nobody foresaw is told by a number, and the log
// explains it.
func TestUnknownErrorsStayInside(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	w := newWorld(t, withFault(&broken))
	broken.Store(true)
	a := w.post(t, "/account/logout", anyVisit).want(t, http.StatusInternalServerError)
	_, reference, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(a.body), "."), "under ")
	if strings.Contains(a.body, "thread") || len(reference) != 8 || !strings.Contains(w.log.String(), "reference="+reference) {
		t.Errorf("the answer is %q, the log\n%s", a.body, w.log)
	}
	w.get(t, "/").want(t, http.StatusOK)
}

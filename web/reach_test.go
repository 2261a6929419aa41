package web_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/web"
)

// loopback is the address of every client of these tests.
var loopback = netip.MustParseAddr("127.0.0.1")

func clientIP(net.Conn) (netip.Addr, bool) { return loopback, true }

// askReach asks which ports are reached, and returns the answer's status and text.
func askReach(t *testing.T, w *world, body string) (int, string) {
	t.Helper()
	answer, err := http.Post(w.url+"/.well-known/restante/reach", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestReach: a port that listens and one that does not are told apart; others than those
// of mail are tried for nobody, however often they are named.
func TestReach(t *testing.T) {
	t.Parallel()
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open, closed := listening.Addr().(*net.TCPAddr).Port, quiet.Addr().(*net.TCPAddr).Port
	quiet.Close()
	w := newWorld(t, func(o *options) { o.web.ClientIP, o.web.ReachPorts = clientIP, []int{open, closed} })
	body, err := json.Marshal(web.ReachQuestion{Ports: []int{open, closed, closed, open, 22, 0, -1, 70000}})
	if err != nil {
		t.Fatal(err)
	}
	code, text := askReach(t, w, string(body))
	var got web.ReachAnswer
	if err := json.Unmarshal([]byte(text), &got); err != nil || code != http.StatusOK {
		t.Fatalf("got %d and %q", code, text)
	}
	want := web.ReachAnswer{Address: loopback, Open: []int{open}, Closed: []int{closed}}
	if diff := cmp.Diff(got, want, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	if log := w.log.String(); strings.Contains(log, "127.0.0.1") {
		t.Errorf("the log tells who asked: %s", log)
	}
}

// TestReachRefuses: whoever asks too often, in words that make no sense, or from an
// address that many share.
func TestReachRefuses(t *testing.T) {
	t.Parallel()
	all := func(o *options) { o.web.ClientIP = clientIP }
	for _, test := range []struct {
		name, body string
		change     func(*options)
		times      int
		want       int
	}{
		{"no words", "", all, 1, http.StatusBadRequest},
		{"other words", `{"ports": "all"}`, all, 1, http.StatusBadRequest},
		{"nothing", `{}`, all, 1, http.StatusOK},
		{"often", `{}`, all, 7, http.StatusTooManyRequests},
		{"from nobody", `{}`, func(o *options) { o.web.ClientIP = func(net.Conn) (netip.Addr, bool) { return netip.Addr{}, false } }, 1, http.StatusNotFound},
		{"from no network", `{}`, func(o *options) { all(o); o.web.Peer = func(net.Conn) mailbox.Peer { return "" } }, 1, http.StatusNotFound},
		{"not offered", `{}`, func(*options) {}, 1, http.StatusNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.change)
			got := 0
			for range test.times {
				got, _ = askReach(t, w, test.body)
			}
			if got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

package mta

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// webTimeout is how long the web server of the tests gives a request by itself: the
// handshake has to fit, on a busy machine too.
const webTimeout = 500 * time.Millisecond

// httpsDoor serves the relay's mail over HTTPS.
func httpsDoor(t *testing.T, r *relay) (url string, client *http.Client) {
	t.Helper()
	type key struct{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.server.TakeHTTPS(w, req, req.Context().Value(key{}).(net.Conn))
	}))
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) }
	s.Config.ReadTimeout, s.Config.WriteTimeout = webTimeout, webTimeout // which TakeHTTPS prolongs
	s.Config.ReadHeaderTimeout = time.Minute
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, s.Client()
}

// TestTakeHTTPS: what comes over HTTPS is held to what SMTP is held to, and is there
// for all recipients or for none.
func TestTakeHTTPS(t *testing.T) {
	t.Parallel()
	keys, known := foreignKeys(t)
	signed := foreignSign(t, dkim.SignOptions{Domain: "there.example", Selector: "ed", Signer: keys["ed"]}, from("zoe@there.example"))
	for _, c := range []struct {
		name, sender, to, message string
		change                    func(*Options)
		status                    int
		answer                    string
	}{
		{"taken", "zoe@there.example", "bert@here.example", signed, nil, 200, "250 2.0.0"},
		{"two recipients", "<zoe@there.example>", "<bert@here.example> anna@here.example", signed, nil, 200, "250 2.0.0"},
		{"one of them unknown", "zoe@there.example", "bert@here.example nobody@here.example", signed, nil, 400, "550 5.1.1"},
		{"no recipient", "zoe@there.example", "", signed, nil, 400, "553 5.1.3"},
		{"too many recipients", "zoe@there.example", "bert@here.example anna@here.example", signed, func(o *Options) { o.Limits.MaxRecipients = 1 }, 503, "452 4.5.3"},
		{"elsewhere", "zoe@there.example", "zoe@there.example", signed, nil, 400, "550 5.7.1"},
		{"no address", "zoe", "bert@here.example", signed, nil, 400, "553 5.1.7"},
		{"forged", "anna@here.example", "bert@here.example", signed, nil, 400, "550 5.7.1"},
		{"report", "", "bert@here.example", signed, nil, 200, "250 2.0.0"},
		{"not signed", "zoe@there.example", "bert@here.example", from("zoe@there.example"), nil, 400, "550 5.7.22"},
		{"cleartext", "zoe@there.example", "bert@here.example", signed, func(o *Options) { o.Gate = gate }, 400, "523 5.7.10"},
		{"bare LF", "zoe@there.example", "bert@here.example", strings.ReplaceAll(signed, "Hello.\r\n", "Hello.\n"), nil, 400, "550 5.6.0"},
		{"too large", "zoe@there.example", "bert@here.example", signed, func(o *Options) { o.Limits.MaxMessage = 100 }, 413, "552 5.3.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, func(o *Options) {
				o.Origin, o.Resolver = OriginDKIM, &zone{txt: known.txt}
				if c.change != nil {
					c.change(o)
				}
			})
			url, client := httpsDoor(t, r)
			req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(c.message))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Mail-From", c.sender)
			for _, to := range strings.Fields(c.to) {
				req.Header.Add("X-Mail-To", to)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			answer, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != c.status || !strings.HasPrefix(string(answer), c.answer) {
				t.Errorf("got %d, %q and %v, want %d and %q", res.StatusCode, answer, err, c.status, c.answer)
			}
			all, err := r.inbox(t.Context(), "bert")
			if err != nil || (len(all) == 1) != (c.status == 200) {
				t.Errorf("%d messages, %v", len(all), err)
			}
		})
	}
}

// post brings a message to bert, and returns the status.
func post(t *testing.T, r *relay, body io.Reader) (int, error) {
	t.Helper()
	url, client := httpsDoor(t, r)
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Mail-From", "zoe@there.example")
	req.Header.Set("X-Mail-To", "bert@here.example")
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// TestTakeHTTPSSlowly: a message may take longer than the web server gives a
// request, as long as it comes on.
func TestTakeHTTPSSlowly(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	in, out := io.Pipe()
	go func() {
		_, err := io.WriteString(out, from("zoe@there.example"))
		late := time.NewTimer(3 * webTimeout)
		<-late.C // the server's own time is over
		_, more := io.WriteString(out, "More.\r\n")
		out.CloseWithError(errors.Join(err, more))
	}()
	if status, err := post(t, r, in); status != 200 {
		t.Errorf("got %d and %v, want 200", status, err)
	}
	if all, err := r.inbox(t.Context(), "bert"); err != nil || len(all) != 1 {
		t.Errorf("%d messages, %v; want one", len(all), err)
	}
}

// TestTakeHTTPSStuck: a message that stops coming is given up, and not kept.
func TestTakeHTTPSStuck(t *testing.T) {
	t.Parallel()
	r := newRelay(t, func(o *Options) { o.Limits.ProgressTimeout = 50 * time.Millisecond })
	stuck, stop := io.Pipe()
	defer stop.Close()
	status, err := post(t, r, io.MultiReader(strings.NewReader(from("zoe@there.example")), stuck))
	if status == 200 {
		t.Errorf("got %d and %v, want no success", status, err)
	}
	if all, err := r.inbox(t.Context(), "bert"); err != nil || len(all) != 0 {
		t.Errorf("%d messages, %v; want none", len(all), err)
	}
}

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// More markers, for what happens beside mail.
const (
	markLost    = "marklostqzx"    // nobody has this name at the other relay
	markWaiting = "markwaitingqzx" // nor can mail to it be delivered at all
	markAlias   = "markaliasqzx"
	markJoined  = "markjoinedqzx"
)

// TestSecrecyOfService is TestSecrecy for what happens beside mail: reports of what
// can't be delivered, what the operator does, and sign-up.
func TestSecrecyOfService(t *testing.T) {
	t.Parallel()
	if found := serviceScenario(t, binary(t)); len(found) > 0 {
		t.Errorf("found in the store, the output or what a command says:\n%s", strings.Join(found, "\n"))
	}
}

// TestSecrecyOfServiceControl is the same with sealing off, as TestSecrecyControl.
func TestSecrecyOfServiceControl(t *testing.T) {
	t.Parallel()
	found := strings.Join(serviceScenario(t, unsealed(t)), "\n")
	for _, want := range []string{markUser, markLost, markWaiting, markID, markAlias, markJoined, "address from /new", "ciphertext"} {
		if !strings.Contains(found, want) {
			t.Errorf("with sealing off the scan finds no %s, so it could not have with sealing on; it finds:\n%s", want, found)
		}
	}
}

// serviceScenario has a message come back, another one wait, an operator at work and
// two people sign up, and returns where their markers are.
func serviceScenario(t *testing.T, binary string) []string {
	t.Helper()
	c := newCountryOf(t, binary)
	here := c.found(t, "here.test", "[signup]\npolicy = \"open\"\n[listen.metrics]\naddress = \"127.0.0.1:0\"\nnetwork = \"shared\"\n")
	there := c.found(t, "there.test", "")
	there.straight(t)
	c.dns.Load(t, "down.test. 60 MX 10 mx.down.test.\nmx.down.test. 60 A 127.0.1.250\n")
	markers := map[string]string{"client IP": clientIP}
	for _, m := range []string{markSubject, markText, markName, markHost, markAgent, markUser, markID, markLost, markWaiting, markAlias, markJoined} {
		markers[m] = m
	}
	alice := here.citizen(t, markUser)
	markers["password from account new"] = alice.Password
	said := operate(t, here)
	markers["ciphertext"] = loseMail(t, here, alice)
	signUpAtPage(t, here, markers)
	signUpAtNew(t, here, markers)
	said += here.command(t, "queue", "list") + here.command(t, "account", "list") + observe(t, here)
	output := write(t, t.TempDir(), "said", said)
	places := []string{here.relay.dir, here.log.Name(), there.relay.dir, there.log.Name(), output}
	found := scan(t, markers, places...) // with the write-ahead log as it is
	here.stop(t)
	there.stop(t)
	return append(found, scan(t, markers, places...)...)
}

// operate gives the account an alias, looks at it and has its commands logged. It
// returns what the commands said that were not asked for addresses.
func operate(t *testing.T, w *town) string {
	t.Helper()
	shown := w.command(t, "account", "show", "--addresses", markUser)
	if added := w.command(t, "account", "alias", "add", "--addresses", markUser, markAlias); !strings.Contains(shown, markUser) || !strings.Contains(added, markAlias) {
		t.Errorf("the operator was shown\n%s%s", shown, added)
	}
	if _, err := try(t, "", nil, w.country.bin, "account", "new", markUser, "--config", w.config); err == nil {
		t.Error("two accounts have one name")
	}
	return w.command(t, "account", "debug", markUser) + w.command(t, "account", "show", markUser) + w.command(t, "account", "alias", "list", markUser)
}

// observe looks at the relay in all ways that there are, and returns what it was shown.
func observe(t *testing.T, w *town) string {
	t.Helper()
	// What is wrong with a relay on loopback is of no interest here.
	examined, _ := try(t, "", nil, w.country.bin, "doctor", "--ip", w.ip, "--config", w.config)
	all := w.command(t, "status") + w.command(t, "top", "--count", "1", "--every", "100ms") + examined
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		answer, err := (&http.Client{Timeout: patience}).Get("http://" + w.Metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		all += string(b)
	}
	for _, want := range []string{"running since", "mail from", "relay key", "restante_accounts 3"} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %q in what the relay shows:\n%s", want, all)
		}
	}
	return all
}

// loseMail sends mail to somebody who is not there and to a relay that is down, until
// the report of the one is read and the other one waits. It returns a line of the
// ciphertext.
func loseMail(t *testing.T, w *town, alice account) string {
	t.Helper()
	text := newGnuPG(t, []account{alice}).mail(t, alice, alice, markText)
	client := w.smtp(t, alice)
	for _, to := range []string{markLost + "@there.test", markWaiting + "@down.test"} {
		if err := send(client, alice.Address, to, marked(text)); err != nil {
			t.Fatal(err)
		}
	}
	// The other mail says that the subject was readable.
	eventually(t, "a report and a notice are there", func() bool { return inboxSize(t, w.relay, alice) == 2 })
	eventually(t, "one message waits", func() bool { return strings.Contains(w.command(t, "queue", "list"), "4.4.1") })
	if inbox := wholeInbox(t, w.relay, alice); !strings.Contains(inbox, markLost) || !strings.Contains(inbox, markID) {
		t.Errorf("the report does not say what was lost:\n%s", inbox)
	}
	return strings.Split(strings.SplitN(text, "-----BEGIN PGP MESSAGE-----\r\n\r\n", 2)[1], "\r\n")[1]
}

// wholeInbox reads all mail of an INBOX, one after the other.
func wholeInbox(t *testing.T, r *relay, a account) string {
	t.Helper()
	c := r.imap(t, a)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	list, err := c.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, m := range list {
		all.Write(m.FindBodySection(section))
	}
	return all.String()
}

var (
	ticketField = regexp.MustCompile(`name="ticket" value="([^"]+)"`)
	secretField = regexp.MustCompile(`<dd class="secret">(r1-[^<]+)</dd>`)
)

// signUpAtPage gets an address as somebody without JavaScript does, who waits.
func signUpAtPage(t *testing.T, w *town, markers map[string]string) {
	t.Helper()
	ticket := ticketField.FindStringSubmatch(w.browse(t, "GET", "/join", nil))
	if ticket == nil {
		t.Fatal("the page has no ticket")
	}
	form := url.Values{"name": {markJoined}, "publish": {"yes"}, "ticket": {ticket[1]}}
	var secrets [][]string
	eventually(t, "the wait is over", func() bool {
		secrets = secretField.FindAllStringSubmatch(w.browse(t, "POST", "/join", form), -1)
		return len(secrets) > 0
	})
	if len(secrets) != 3 {
		t.Fatalf("the page shows %d secrets, want 3", len(secrets))
	}
	for i, name := range []string{"device password", "password from the page", "recovery code"} {
		markers[name] = secrets[i][1]
	}
	w.imap(t, account{markJoined + "@" + w.domain, secrets[0][1]})
}

// signUpAtNew gets an address as Delta Chat does.
func signUpAtNew(t *testing.T, w *town, markers map[string]string) {
	t.Helper()
	var a struct{ Email, Password string }
	body := w.browse(t, "POST", "/new", url.Values{})
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Email == "" {
		t.Fatalf("POST /new: %v in %q", err, body)
	}
	markers["address from /new"], markers["password from /new"] = a.Email, a.Password
	w.imap(t, account{a.Email, a.Password})
}

// browse asks the relay for a page, from clientIP, and returns it.
func (w *town) browse(t *testing.T, method, path string, form url.Values) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "https://"+w.HTTPS+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", markAgent)
	request.Header.Set("X-Forwarded-For", clientIP)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientIP)}}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: d.DialContext, TLSClientConfig: w.country.ca.client("localhost"), DisableKeepAlives: true,
	}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

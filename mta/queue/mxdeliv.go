package queue

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// A courier brings mail over HTTPS to relays that take it, as chatmail relays do:
// one POST to /mxdeliv on the host of the first MX record, with the envelope in
// X-Mail-From and X-Mail-To. The host's certificate must be good whatever is asked
// of SMTP. The answer is for all recipients together, so that everything but success
// is left to SMTP, where each is answered apart. It is safe for concurrent use.
type courier struct {
	router *router
	client *http.Client
	port   int
	now    func() time.Time

	mu      sync.Mutex
	without map[string]time.Time // hosts that don't take it, and when they are asked again
}

const (
	httpsConnect  = 5 * time.Second  // most servers of mail have no HTTPS, and their mail waits
	httpsContinue = 2 * time.Second  // for leave to send the message
	httpsAnswer   = 5 * time.Minute  // once it was sent
	httpsAgain    = 30 * time.Minute // after which a host without HTTPS is asked again
	httpsSpeed    = 8 << 10          // bytes in a second, less than which is given up
	maxWithout    = 10000
	maxPosted     = 50 // recipients of one POST: their fields must fit into a header
)

func newCourier(r *router, now func() time.Time) *courier {
	t := r.transport()
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, httpsConnect)
		defer cancel()
		return dial(ctx, network, address)
	}
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout, t.ExpectContinueTimeout = httpsConnect, httpsAnswer, httpsContinue
	return &courier{
		router: r, now: now, port: 443, without: map[string]time.Time{},
		client: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// close ends the connections that rest.
func (c *courier) close() {
	if c != nil {
		c.client.CloseIdleConnections()
	}
}

// fits reports whether HTTPS can carry what is asked for a letter: it has no words
// for reports, for TLS on the rest of the way, or for addresses beyond ASCII.
func (c *courier) fits(l *mailbox.Letter, p *parcel) bool {
	if l.RequireTLS || l.EnvelopeID != "" || p.needsUTF8() || len(p.to) > maxPosted {
		return false
	}
	for _, s := range p.to {
		if s.notify != "" || s.original != "" {
			return false
		}
	}
	_, isLiteral := literal(l.Domain)
	return !isLiteral && !isOnion(l.Domain) && c.router.relay == nil
}

// deliver brings a parcel to the domain, and reports whether that went well. If not,
// it may have been taken all the same: the receiver has to tell the second from the
// first (RFC 5321, 4.5.3.2.6).
func (c *courier) deliver(ctx context.Context, domain string, p *parcel) bool {
	set, err := c.router.resolver.exchangers(ctx, domain, c.router.hello)
	if err != nil {
		return false
	}
	host := set.names[0]
	if c.isWithout(host) || !c.router.sts.allows(ctx, domain, host) {
		return false
	}
	err = c.post(ctx, host, p)
	if errors.Is(err, errNoCourier) {
		c.noteWithout(host)
	}
	return err == nil
}

var (
	errNoCourier = errors.New("queue: the server takes no mail over HTTPS")
	errNotTaken  = errors.New("queue: the server does not take this message over HTTPS")
)

// post sends the message. Errors: errNoCourier, errNotTaken, and those of reading it.
func (c *courier) post(ctx context.Context, host string, p *parcel) error {
	ctx, cancel := context.WithTimeout(ctx, httpsAnswer+time.Duration(p.size/httpsSpeed)*time.Second)
	defer cancel()
	body, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	url := "https://" + host + "/mxdeliv"
	if c.port != 443 {
		url = "https://" + net.JoinHostPort(host, strconv.Itoa(c.port)) + "/mxdeliv"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(body))
	if err != nil {
		return errNoCourier
	}
	req.ContentLength = p.size
	req.Header = http.Header{
		"Content-Type": {"message/rfc822"}, "Expect": {"100-continue"}, "User-Agent": {""},
		"X-Mail-From": {p.from.String()},
	}
	for _, s := range p.to {
		req.Header.Add("X-Mail-To", s.address.String())
	}
	res, err := c.client.Do(req)
	if err != nil {
		return errNoCourier // its own text names the server
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxReplyLine))
	switch {
	case res.StatusCode == http.StatusOK:
		return nil
	case err == nil && refusalText.Match(answer):
		return errNotTaken
	}
	return errNoCourier
}

// refusalText is how the answer of a relay begins that speaks of a message.
var refusalText = regexp.MustCompile(`^[45][0-9][0-9] `)

func (c *courier) isWithout(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.without[host])
}

func (c *courier) noteWithout(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.without) >= maxWithout {
		clear(c.without) // to ask again costs little
	}
	c.without[host] = c.now().Add(httpsAgain)
}

// forget makes a host be asked again at the next letter: SMTP does not get through
// either, and HTTPS may be back before.
func (c *courier) forget(ctx context.Context, domain string) {
	set, err := c.router.resolver.exchangers(ctx, domain, c.router.hello)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.without, set.names[0])
}

// byHTTPS delivers a letter over HTTPS if that can be, and reports whether it did.
func (v *visit) byHTTPS(ctx context.Context, l *mailbox.Letter, p *parcel) ([]verdict, bool) {
	if v.courier == nil || !v.courier.fits(l, p) || !v.courier.deliver(ctx, l.Domain, p) {
		return nil, false
	}
	return all(verdict{outcome: delivered, status: enhanced{2, 0, 0}, reply: replyHTTPS}, len(p.to)), true
}

// replyHTTPS stands in the log for the answer of a server that took a message.
var replyHTTPS = reply{code: 250, text: "taken over HTTPS"}

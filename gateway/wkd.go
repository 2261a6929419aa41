package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

const (
	// wkdFresh and wkdNone are for how long a domain's answer holds: a key, or that
	// there is none.
	wkdFresh = 24 * time.Hour
	wkdNone  = time.Hour
	// wkdTimeout bounds the questions about one mail's recipients: the user's client
	// waits for the answer to its mail meanwhile.
	wkdTimeout = 20 * time.Second
	wkdAtOnce  = 4
)

// directory asks the domains of people for their keys (Web Key Directory,
// draft-koch-openpgp-webkey-service-19). It is asked only when a mail is about to be
// sent, since the domain learns from the question that somebody wants to write.
type directory struct {
	web      *http.Client // nil: no domain is asked
	contacts *Contacts
	now      func() time.Time
}

// newDirectory returns a directory that asks by web, of which it takes the transport.
func newDirectory(web *http.Client, contacts *Contacts, now func() time.Time) *directory {
	d := &directory{contacts: contacts, now: now}
	if web != nil {
		once := *web
		// A domain answers for itself (3.1): nobody else is asked on its behalf.
		once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		once.Jar = nil
		d.web = &once
	}
	return d
}

// ask asks for those whose key is missing or has expired, unless their domains were
// asked lately. It reports whether a key came. Only trouble with the vault is an
// error: a domain that does not answer is as one without a key, but is asked again.
func (d *directory) ask(ctx context.Context, missing []UnsendableTo) (found bool, err error) {
	if d.web == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, wkdTimeout)
	defer cancel()
	group := new(errgroup.Group)
	group.SetLimit(wkdAtOnce)
	came := make([]bool, len(missing))
	for i, to := range missing {
		if !errors.Is(to.Reason, ErrNoKey) && !errors.Is(to.Reason, pgp.ErrExpired) {
			continue
		}
		group.Go(func() (err error) {
			came[i], err = d.askFor(ctx, to.Address)
			return err
		})
	}
	err = group.Wait()
	for _, c := range came {
		found = found || c
	}
	return found, err
}

func (d *directory) askFor(ctx context.Context, a addr.Address) (bool, error) {
	p, err := d.contacts.Peer(a)
	if err != nil || !p.mayAsk(d.now()) || isGroupAddress(a) || strings.HasPrefix(a.Domain(), "[") {
		return false, err
	}
	cert, err := d.lookUp(ctx, a)
	if err != nil {
		return false, nil // nobody has answered
	}
	_, err = d.contacts.Update(a, func(p Peer) (Peer, Event) { return p.Find(a, cert, d.now()) })
	return cert != nil, err
}

// mayAsk reports whether the last answer of the peer's domain is too old to rest on.
func (p Peer) mayAsk(now time.Time) bool {
	term := wkdNone
	if p.WKD != "" {
		term = wkdFresh
	}
	return p.WKDAt.IsZero() || now.Sub(p.WKDAt) >= term
}

// lookUp asks by the advanced method, and by the direct one if there is no such host.
// A nil certificate is the answer that there is none. An error means that there was no
// answer.
func (d *directory) lookUp(ctx context.Context, a addr.Address) (*pgp.Cert, error) {
	advanced, direct := wkdURLs(a)
	b, err := d.get(ctx, advanced)
	if err != nil {
		b, err = d.get(ctx, direct)
	}
	if err != nil || b == nil {
		return nil, err
	}
	c, err := pgp.ParseCert(b)
	if err == nil {
		c, err = c.Only(a)
	}
	if err != nil {
		return nil, nil // what is there is no key of theirs
	}
	return c, nil
}

// wkdURLs returns where the key of an address is looked for (3.1).
func wkdURLs(a addr.Address) (advanced, direct string) {
	file := "/hu/" + a.WKDHash() + "?l=" + url.QueryEscape(a.Local())
	const path = "/.well-known/openpgpkey"
	return "https://openpgpkey." + a.Domain() + path + "/" + a.Domain() + file, "https://" + a.Domain() + path + file
}

// get returns what is at a URL, nil if the server says that there is nothing.
func (d *directory) get(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "") // says nothing of who asks
	resp, err := d.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("the directory answers %d", resp.StatusCode)
	default:
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, pgp.MaxCert+1))
	if err != nil || len(b) == 0 || len(b) > pgp.MaxCert {
		return nil, err
	}
	return b, nil
}

// resolve finds the keys of a mail's recipients: those that are known, and where there
// is none what the recipients' domains say.
func (g *Gateway) resolve(ctx context.Context, own *Identity, to []addr.Address) (keys, error) {
	k, err := g.contacts.resolve(g.own.Load(), own, to, g.o.Now())
	var missing *Unsendable
	if !errors.As(err, &missing) {
		return k, err
	}
	found, askErr := g.directory.ask(ctx, missing.Recipients)
	if askErr != nil {
		return keys{}, askErr
	}
	if !found {
		return keys{}, err
	}
	return g.contacts.resolve(g.own.Load(), own, to, g.o.Now())
}

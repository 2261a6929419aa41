// Package push wakes the devices of people who got mail: those that have given the
// relay a push token (IMAP METADATA /private/devicetoken, as Delta Chat does).
//
//	notifier, err := push.New(push.Options{URL: proxy, Log: log})
//	service, err := mailbox.New(mailbox.Options{…, Arrived: notifier.Wake})
//	group.Go(func() error { return notifier.Run(ctx, service) })
//
// A notification goes to a proxy, which hands it on to the makers of phones. It is an
// HTTP POST whose body is the token and nothing else: no address, no text, no
// number of messages. What the proxy learns from it is when a device got mail, and
// that this relay has it (docs/threat-model.md). The interface is that of the proxy
// of chatmail relays: 200 is done, 410 says that the token is of no use any more.
//
// Notifications are hints. They are tried again for half an hour, and lost when the
// process ends: the next mail wakes the device, and so does its user.
package push

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox"
)

// Tokens are what wakes the devices of accounts. *mailbox.Service keeps them.
type Tokens interface {
	PushTokens(ctx context.Context, id mailbox.AccountID) ([]mailbox.PushToken, error)
	DropPushToken(ctx context.Context, id mailbox.AccountID, t mailbox.PushToken) error
}

// Options is what a Notifier is made of. URL is needed; the zero value of everything
// else is a documented default.
type Options struct {
	URL    string       // of the proxy, with https
	Client *http.Client // nil is one with a timeout of 30 s that follows no redirects

	// Pending is how many accounts may wait for their devices to be woken; 10,000.
	// Those beyond are not woken.
	Pending int
	Workers int // connections to the proxy at a time; 4

	// Wait waits for d or until ctx ends, with ctx's error then. nil is real time.
	Wait func(ctx context.Context, d time.Duration) error
	Log  *slog.Logger // nil discards
}

// Notifier wakes devices. It is safe for concurrent use.
type Notifier struct {
	o      Options
	tokens Tokens

	queue    chan mailbox.AccountID
	lateOnes room // notifications that wait to be tried again

	mu      sync.Mutex
	waiting map[mailbox.AccountID]bool // in queue: one more mail changes nothing
}

// New returns a Notifier. The error names the option at fault.
func New(o Options) (*Notifier, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("push: Options.URL is not the URL of a proxy")
	}
	orDefault(&o.Pending, 10_000)
	orDefault(&o.Workers, 4)
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 30 * time.Second, CheckRedirect: noRedirects}
	}
	if o.Wait == nil {
		o.Wait = pause.For
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Notifier{o: o, queue: make(chan mailbox.AccountID, o.Pending), lateOnes: make(room, maxLate), waiting: map[mailbox.AccountID]bool{}}, nil
}

func orDefault(v *int, d int) {
	if *v == 0 {
		*v = d
	}
}

// noRedirects keeps tokens from going elsewhere.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Wake has the devices of an account woken soon. It returns at once.
func (n *Notifier) Wake(id mailbox.AccountID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting[id] {
		return
	}
	select {
	case n.queue <- id:
		n.waiting[id] = true
	default: // so many are behind that this one would come too late anyway
	}
}

// Run wakes devices until ctx ends, and returns nil then. It is called once.
func (n *Notifier) Run(ctx context.Context, tokens Tokens) error {
	n.tokens = tokens
	var workers sync.WaitGroup
	for range n.o.Workers {
		workers.Go(func() { n.work(ctx) })
	}
	workers.Wait()
	return nil
}

func (n *Notifier) work(ctx context.Context) {
	var late sync.WaitGroup
	defer late.Wait()
	for {
		select {
		case id := <-n.queue:
			n.begin(id)
			n.wakeAll(ctx, id, &late)
		case <-ctx.Done():
			return
		}
	}
}

// begin notes that mail from now on is for another notification.
func (n *Notifier) begin(id mailbox.AccountID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, id)
}

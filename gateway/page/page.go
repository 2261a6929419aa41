// Package page is what a gateway shows in a browser on its own machine: how it is, whose
// keys it knows, what is wrong with a button for each, and ways to meet people.
//
//	p := page.New(page.Options{Desk: desk})
//	fmt.Println(p.URL(listener.Addr()))
//	group.Go(func() error { return p.Serve(ctx, listener) })
//
// The address of the page holds a token that nobody can guess, made anew at each start:
// who knows it is the user. Other programs on the machine can reach the port, and other
// sites can have the browser ask it; without the token they get nothing. A request under
// another host name than the loopback's is refused, so that no name that leads here by
// trickery (DNS rebinding) is of use. The page loads nothing from elsewhere, has no
// script, and tells the address it stands at to no other site.
package page

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"errors"
	"html/template"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/restante/restante/internal/qrsvg"
)

// Desk is what the page shows and does. Its methods are safe for concurrent use. What
// its errors say is shown to the user.
type Desk interface {
	// State says how the gateway is.
	State(ctx context.Context) (State, error)
	// Invite makes an invitation link, to a group if one is named.
	Invite(ctx context.Context, group string) (link string, err error)
	// Follow follows somebody's invitation and says how far that has come.
	Follow(ctx context.Context, link string) (text string, err error)
	// Decide takes the changed key of a contact, if said is its fingerprint or its
	// words, or refuses it.
	Decide(ctx context.Context, address, said string, refuse bool) error
	// Mend does what a problem's button says, and says what came of it.
	Mend(ctx context.Context, action string) (text string, err error)
	// StartPairing begins to wait for another gateway of the user's, in place of an
	// earlier wait. State tells how it goes on.
	StartPairing(ctx context.Context) error
	// EndPairing ends the wait and forgets its code.
	EndPairing()
	// AddDevice makes a password for a phone, and a link that hands it over.
	AddDevice(ctx context.Context, name string) (Offer, error)
	// RevokeDevice takes a phone's password back.
	RevokeDevice(ctx context.Context, name string) error
}

// State is how a gateway is.
type State struct {
	Address            string
	Fingerprint, Words string      // of the user's own key
	Rows               [][2]string // name and value, in plain words
	Client             [][2]string // the settings for the user's mail client
	Problems           []Problem
	Contacts           []Contact
	Groups             []string
	Pairing            *Pairing // nil if no other gateway is waited for
	Phones             string   // where phones are let in; "" is nowhere
	Devices            []Device
}

// Problem is something that keeps mail from coming or going.
type Problem struct {
	Text   string
	Action string // what Desk.Mend is to do about it
	Button string // that in words
}

// Pairing is the wait for another gateway of the user's.
type Pairing struct {
	Code, Link string // to type or scan there
	Ended      string // how it ended; "" while it goes on
}

// Device is a phone that has a password.
type Device struct{ Name, Added string }

// Offer is what a phone is set up with.
type Offer struct {
	Device      string
	Link        string // hands over the settings, once
	Certificate string // the fingerprint that the phone must show
	Thunderbird string // the content of a code that Thunderbird for Android takes
}

// Contact is what is known of somebody's key.
type Contact struct {
	Address, Standing  string
	Fingerprint, Words string
	NewFingerprint     string // of a key that waits for a decision
	LastMail, Trouble  string
}

// Options is what a Page is made of. Desk is needed.
type Options struct {
	Desk    Desk
	Log     *slog.Logger // nil discards
	Welcome *Welcome     // the page that this one follows, at its address; nil if there was none
}

// Page serves the page. It is safe for concurrent use.
type Page struct {
	o       Options
	token   string
	handler http.Handler
	fresh   atomic.Bool // the gateway came from another machine, and the user has not seen that yet
}

// New returns a Page with a token of its own, or that of the page before it.
func New(o Options) *Page {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Page{o: o, token: newToken()}
	if o.Welcome != nil {
		p.token = o.Welcome.token
		p.fresh.Store(true)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{token}/{$}", p.home)
	mux.HandleFunc("GET /{token}/style.css", style)
	mux.HandleFunc("POST /{token}/invite", p.invite)
	mux.HandleFunc("POST /{token}/follow", p.follow)
	mux.HandleFunc("POST /{token}/decide", p.decide)
	mux.HandleFunc("POST /{token}/mend", p.mend)
	mux.HandleFunc("POST /{token}/pair", p.pair)
	mux.HandleFunc("POST /{token}/device", p.device)
	mux.HandleFunc("POST /{token}/revoke", p.revoke)
	mux.HandleFunc("POST /{token}/key", p.key)
	p.handler = guard(p.token, mux)
	return p
}

func newToken() string { return strings.ToLower(rand.Text()) }

// URL is the address of the page on a listener.
func (p *Page) URL(at net.Addr) string { return urlOf(at, p.token) }

func urlOf(at net.Addr, token string) string { return "http://" + at.String() + "/" + token + "/" }

// The limits of a request.
const (
	maxForm = 8 << 10
	timeout = 2 * time.Minute // following an invitation waits for the other side
)

// Serve answers on the connections of ln until ctx ends.
func (p *Page) Serve(ctx context.Context, ln net.Listener) error { return serve(ctx, ln, p.handler) }

func serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: timeout, IdleTimeout: timeout, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// guard is around all requests.
func guard(secret string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !ownHost(r.Host) || subtle.ConstantTimeCompare([]byte(token), []byte(secret)) != 1 {
			http.NotFound(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// ownHost tells whether a request was sent to this machine by its own name.
func ownHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

//go:embed page.html welcome.html style.css
var files embed.FS

var templates = template.Must(template.ParseFS(files, "page.html", "welcome.html"))

// view is what the template shows.
type view struct {
	State
	Said  string // what an action came to
	Fault string
	Link  string // an invitation
	Code  template.HTML

	PairCode template.HTML // of the pairing that goes on
	Offer    *Offer
	OfferQR  template.HTML
	AppQR    template.HTML // for Thunderbird
	Shown    *Contact      // whose key is shown as a code; the user's own has the user's address
	ShownQR  template.HTML
	Fresh    bool // everything has just come from another machine
}

// Calm reports whether nothing is wrong.
func (v view) Calm() bool {
	return len(v.Problems) == 0 && !slices.ContainsFunc(v.Contacts, func(c Contact) bool { return c.NewFingerprint != "" })
}

// Waiting reports whether the page should look again by itself.
func (v view) Waiting() bool { return v.Pairing != nil && v.Pairing.Ended == "" }

func (p *Page) home(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, view{Fresh: p.fresh.CompareAndSwap(true, false)})
}

// show shows the page with the outcome of an action above it.
func (p *Page) show(w http.ResponseWriter, r *http.Request, v view) {
	state, err := p.o.Desk.State(r.Context())
	if err != nil {
		p.o.Log.Error("page", "error", err)
		v.Fault = err.Error()
	}
	v.State = state
	if v.Waiting() {
		if v.PairCode, err = qrsvg.Draw(state.Pairing.Link, "QR code for your other machine"); err != nil {
			v.Fault = err.Error()
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	if err := templates.ExecuteTemplate(w, "page.html", v); err != nil {
		p.o.Log.Debug("page", "error", err) // the browser has gone
	}
}

func style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "style.css")
}

func (p *Page) invite(w http.ResponseWriter, r *http.Request) {
	link, err := p.o.Desk.Invite(r.Context(), r.FormValue("group"))
	if err != nil {
		p.show(w, r, view{Fault: err.Error()})
		return
	}
	code, err := qrsvg.Draw(link, "QR code of your invitation")
	if err != nil {
		p.show(w, r, view{Fault: err.Error()})
		return
	}
	p.show(w, r, view{Link: link, Code: code})
}

func (p *Page) follow(w http.ResponseWriter, r *http.Request) {
	text, err := p.o.Desk.Follow(r.Context(), strings.TrimSpace(r.FormValue("link")))
	p.tell(w, r, text, err)
}

func (p *Page) decide(w http.ResponseWriter, r *http.Request) {
	refuse := r.FormValue("decision") == "refuse"
	if err := p.o.Desk.Decide(r.Context(), r.FormValue("address"), r.FormValue("said"), refuse); err != nil {
		p.show(w, r, view{Fault: err.Error()})
		return
	}
	said := "The new key is verified, and mail that was held goes out."
	if refuse {
		said = "The new key was refused: mail goes to the old one."
	}
	p.show(w, r, view{Said: said})
}

package page

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// Newcomer is a machine that has no gateway yet. Its methods are safe for concurrent use.
// What its errors say is shown to the user.
type Newcomer interface {
	// Join begins to take everything from the user's other machine, and does not wait
	// for its end. One attempt goes on at a time.
	Join(ctx context.Context, c Claim) error
	// Joining says how far that has come.
	Joining() Joining
}

// Claim is what the user has typed: the link that the other machine shows, or its code
// with how the account is reached.
type Claim struct {
	Text              string // link or code
	Address, Password string
	IMAP, SMTP        string // servers, if they are not to be found
}

// Joining is how far an attempt has come.
type Joining struct {
	Steps []string // all of them, in plain words; nil before the first attempt
	At    int      // the index of the one that goes on
	Fault string   // why the attempt has ended; "" while it goes on
}

// Busy reports whether an attempt goes on.
func (j Joining) Busy() bool { return len(j.Steps) > 0 && j.Fault == "" }

// Welcome is the page of a machine that has no gateway yet. Once there is one, it is led
// to the gateway's page, at the same address. It is safe for concurrent use.
type Welcome struct {
	newcomer Newcomer
	token    string
	own      http.Handler
	next     atomic.Pointer[Page]
}

// NewWelcome returns a page with a token of its own.
func NewWelcome(n Newcomer) *Welcome {
	w := &Welcome{newcomer: n, token: newToken()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{token}/{$}", w.home)
	mux.HandleFunc("GET /{token}/style.css", style)
	mux.HandleFunc("POST /{token}/join", w.join)
	w.own = guard(w.token, mux)
	return w
}

// URL is the address of the page on a listener.
func (w *Welcome) URL(at net.Addr) string { return urlOf(at, w.token) }

// Serve answers on the connections of ln until ctx ends, for the page that follows too.
func (w *Welcome) Serve(ctx context.Context, ln net.Listener) error {
	return serve(ctx, ln, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if p := w.next.Load(); p != nil {
			p.handler.ServeHTTP(rw, r)
			return
		}
		w.own.ServeHTTP(rw, r)
	}))
}

// Lead shows the gateway's page from now on, which must have been made with this Welcome
// in its options.
func (w *Welcome) Lead(p *Page) { w.next.Store(p) }

// welcomeView is what the template shows.
type welcomeView struct {
	Joining
	Refused string // why nothing was begun
	Claim   Claim  // what was typed, without secrets
}

// State tells of a step whether it is done, goes on, or is to come.
func (v welcomeView) State(step int) string {
	switch {
	case step < v.At:
		return "done"
	case step > v.At:
		return "to come"
	case v.Fault != "":
		return "failed"
	}
	return "goes on"
}

func (w *Welcome) home(rw http.ResponseWriter, _ *http.Request) { w.show(rw, welcomeView{}) }

func (w *Welcome) show(rw http.ResponseWriter, v welcomeView) {
	v.Joining = w.newcomer.Joining()
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.Refused != "" {
		rw.WriteHeader(http.StatusUnprocessableEntity)
	}
	_ = templates.ExecuteTemplate(rw, "welcome.html", v) // an error means that the browser has gone
}

func (w *Welcome) join(rw http.ResponseWriter, r *http.Request) {
	typed := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	c := Claim{Text: typed("code"), Address: typed("address"), Password: r.FormValue("password"), IMAP: typed("imap"), SMTP: typed("smtp")}
	err := errors.New("give the link that your other machine shows, or its code")
	if c.Text != "" {
		err = w.newcomer.Join(r.Context(), c)
	}
	if err != nil {
		c.Text, c.Password = "", ""
		w.show(rw, welcomeView{Refused: err.Error(), Claim: c})
		return
	}
	w.show(rw, welcomeView{})
}

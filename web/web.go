// Package web is what the relay shows over HTTP: pages on which people make and
// manage accounts, and the files by which mail programs find the relay and one
// another's keys.
//
//	signup, err := web.NewSignup(web.SignupOptions{Domain: domain, Policy: web.Open})
//	service, err := mailbox.New(mailbox.Options{…, SignUp: signup.FirstLogin})
//	server, err := web.New(web.Options{Service: service, Signup: signup, Domain: domain, …})
//	group.Go(func() error { return server.Serve(ctx, listener) })
//
// # Pages
//
// Every page works without JavaScript, cookies, images and web fonts, in Tor Browser
// at its safest setting and over an onion address. Nothing about a visitor is kept:
// no address of his machine, no log of requests, no cookie.
//
// Without cookies there is nothing that a browser sends by itself, and so no
// cross-site request forgery: the account page carries an unguessable token in its
// forms, which another site can't know. The token also counts steps, so that a form
// that is sent twice is done once (visit.go).
//
// Whoever makes an account waits a little, has his browser do some work, or shows a
// token (signup.go): accounts cost something, and nobody says who he is.
//
// # Files
//
// For mail programs there are POST /new as chatmail relays have it, Mozilla's
// autoconfig and Microsoft's autodiscover, and a Web Key Directory
// (draft-koch-openpgp-webkey-service) of the certificates that owners publish. For
// other relays there is the domain's MTA-STS policy (RFC 8461), and a door for mail
// beside SMTP, /mxdeliv, and an answer to which of their own ports are reached from
// outside (reach.go).
//
// Errors become answers in one place, status.go. The text of an unknown error never
// leaves the process.
package web

import (
	"errors"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// Options is what a Server is made of. Service, Signup, Domain and at least one
// port of each kind are needed; the zero value of everything else is a documented
// default.
type Options struct {
	Service *mailbox.Service
	Signup  *Signup

	Domain   string // of the addresses
	Hostname string // under which mail programs reach the relay; "" is Domain
	Ports    Ports

	// URL is where these pages are for mail programs, without a slash at its end;
	// "" is https:// and the Hostname.
	URL string

	// CA is the relay's own certification authority in PEM, nil if the
	// certificate is one that the world trusts. With it, mail programs are told
	// how to trust it.
	CA []byte

	// Cleartext says that owners may choose to take mail from outside that is not
	// encrypted.
	Cleartext bool

	// Deliver takes mail that another relay brings by POST /mxdeliv on a
	// connection that Serve accepted; nil takes none. It bounds the request's size
	// and time itself.
	Deliver func(w http.ResponseWriter, r *http.Request, conn net.Conn)

	// DKIM returns the record of one of the relay's DKIM keys, for those who find it
	// as an onion service and so can't ask DNS; nil has none.
	DKIM func(selector string) (record string, ok bool)

	// STS is the MTA-STS policy of the domain; nil publishes none.
	STS *STSPolicy

	// Peer gives the token of a connection's network; nil means that nothing is
	// counted by network. It works on connections that Serve accepts.
	Peer func(net.Conn) mailbox.Peer

	// ClientIP returns the address of a connection's client, and false for one that
	// many share. With it, relays that ask are told which of their ports are reached
	// from here; nil tells nobody. ReachPorts are those that can be asked after; nil is
	// the variable ReachPorts.
	ClientIP   func(net.Conn) (netip.Addr, bool)
	ReachPorts []int

	Limits Limits
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
}

// Ports are where mail programs find the relay's services. Zero is a service that
// isn't there.
type Ports struct {
	IMAPS, IMAP       int // with TLS from the first byte, and with STARTTLS
	SMTPS, Submission int

	// Shared is the https port, if it takes mail clients too, under the names imap and
	// smtp below the domain; else 0.
	Shared int
}

// Limits bounds what requests can take. Each zero field is its default.
type Limits struct {
	Form     int64         // bytes of a request with a form; 256 KiB
	Header   int           // bytes of a request's header; 16 KiB
	Read     time.Duration // for a request to come in; 30 s
	Write    time.Duration // until it is answered, all waits included; 90 s
	Idle     time.Duration // between two requests of a connection; 2 min
	Stop     time.Duration // that requests get to end when the server does; 10 s
	Visits   int           // people who are logged in to the account page; 1000
	Visit    time.Duration // without an action, after which they are logged out; 10 min
	VisitMax time.Duration // after which they are logged out in any case; 1 h
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Form, 256<<10)
	orDefault(&l.Header, 16<<10)
	orDefault(&l.Read, 30*time.Second)
	orDefault(&l.Write, 90*time.Second)
	orDefault(&l.Idle, 2*time.Minute)
	orDefault(&l.Stop, 10*time.Second)
	orDefault(&l.Visits, 1000)
	orDefault(&l.Visit, 10*time.Minute)
	orDefault(&l.VisitMax, time.Hour)
	return l
}

// Server serves the pages and files. It is safe for concurrent use.
type Server struct {
	o       Options
	domain  string // canonical
	pages   map[string]*template.Template
	visits  *visits
	handler http.Handler

	reaching *pacer
}

// New returns a Server. The error names the option at fault.
func New(o Options) (*Server, error) {
	if o.Service == nil || o.Signup == nil {
		return nil, errors.New("web: Options.Service and Options.Signup are needed")
	}
	postmaster, err := addr.Parse("postmaster@" + o.Domain)
	if err != nil || postmaster.Domain() != o.Signup.domain {
		return nil, errors.New("web: Options.Domain is not a domain, or not that of Options.Signup")
	}
	if o.Ports.IMAPS+o.Ports.IMAP == 0 || o.Ports.SMTPS+o.Ports.Submission == 0 {
		return nil, errors.New("web: Options.Ports has no port for IMAP or none for submission")
	}
	orDefault(&o.Hostname, postmaster.Domain())
	orDefault(&o.URL, "https://"+o.Hostname)
	o.Limits = o.Limits.withDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ReachPorts == nil {
		o.ReachPorts = ReachPorts
	}
	s := &Server{o: o, domain: postmaster.Domain(), visits: newVisits(o.Limits, o.Now), reaching: newPacer(reachAll, reachNetwork)}
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	s.handler = s.guard(s.routes())
	return s, nil
}

// Handler returns what answers requests, for tests and for other servers than that
// of Serve. It can't tell networks apart, and nobody is logged out of the account
// page before the next request.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /{$}":              s.home,
		"GET /clients":          s.clients,
		"GET /join":             s.joinForm,
		"POST /join":            s.join,
		"GET /new":              s.newLink,
		"POST /new":             s.new,
		"GET /account":          s.loginForm,
		"POST /account/login":   s.login,
		"GET /account/recover":  s.recoverForm,
		"POST /account/recover": s.recover,
		"GET /ca.pem":           s.authority,

		"POST /account/logout":   s.inVisit(logout),
		"POST /account/device":   s.inVisit(addDevice),
		"POST /account/revoke":   s.inVisit(revokeDevice),
		"POST /account/password": s.inVisit(changePassword),
		"POST /account/code":     s.inVisit(newCode),
		"POST /account/keys":     s.inVisit(newKeys),
		"POST /account/alias":    s.inVisit(addAlias),
		"POST /account/retire":   s.inVisit(retireAlias),
		"POST /account/address":  s.inVisit(setAddress),
		"POST /account/publish":  s.inVisit(publish),
		"POST /account/block":    s.inVisit(block),
		"POST /account/unblock":  s.inVisit(unblock),
		"POST /account/days":     s.inVisit(setDays),
		"POST /account/delete":   s.inVisit(deleteAccount),

		"GET /.well-known/autoconfig/mail/config-v1.1.xml": s.autoconfig,
		"GET /mail/config-v1.1.xml":                        s.autoconfig,
		"/autodiscover/autodiscover.xml":                   s.autodiscover,
		"/Autodiscover/Autodiscover.xml":                   s.autodiscover,
		"/AutoDiscover/AutoDiscover.xml":                   s.autodiscover,
		"GET /.well-known/openpgpkey/{rest...}":            s.wkd,
		"GET /.well-known/mta-sts.txt":                     s.mtaSTS,
		"GET /.well-known/restante/dkim/{selector}":        s.dkimKey,
		"POST " + deliverPath:                              s.deliver,
		"POST " + reachPath:                                s.reach,

		"GET /style.css":  staticFile("style.css"),
		"GET /work.js":    staticFile("work.js"),
		"GET /icon.svg":   staticFile("icon.svg"),
		"GET /robots.txt": staticFile("robots.txt"),
		"/":               s.notFound,
	} {
		mux.HandleFunc(pattern, handle)
	}
	return mux
}

package phone

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"errors"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OfferTerm is how long an offer waits for its device.
const OfferTerm = 10 * time.Minute

// maxOffers is how many devices are waited for at a time.
const maxOffers = 16

// ErrTooManyOffers: so many devices are waited for that another is too many.
var ErrTooManyOffers = errors.New("16 devices wait for their settings: set them up, or wait until their links end after ten minutes")

// Options is what a Server is made of.
type Options struct {
	// Host and Port are where devices reach the server.
	Host string
	Port int

	// Public is what anybody may know who reaches the server: no address, no password.
	Public Settings

	Now func() time.Time // nil is the clock
}

// Server hands settings to devices, each once. The link of an offer holds a token that
// nobody can guess; its page can be looked at, and the first request for a form of the
// settings takes the offer away. It is safe for concurrent use. What it serves must be
// on TLS.
type Server struct {
	o   Options
	mux *http.ServeMux

	mu     sync.Mutex
	offers map[offerKey]offer
}

// offerKey finds an offer: a hash, so that the time of a search tells nothing.
type offerKey [sha256.Size]byte

type offer struct {
	settings Settings
	until    time.Time
}

// NewServer returns a Server without offers.
func NewServer(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, mux: http.NewServeMux(), offers: map[offerKey]offer{}}
	s.mux.HandleFunc("GET /mail/config-v1.1.xml", s.autoconfig)
	s.mux.HandleFunc("GET /.well-known/autoconfig/mail/config-v1.1.xml", s.autoconfig)
	s.mux.HandleFunc("GET /style.css", s.style)
	s.mux.HandleFunc("GET /{token}/{$}", s.page)
	s.mux.HandleFunc("GET /{token}/restante.mobileconfig", s.profile)
	s.mux.HandleFunc("GET /{token}/restante.cer", s.authority)
	s.mux.HandleFunc("GET /{token}/settings", s.settings)
	return s
}

// Offer returns the link under which a device gets these settings, once, within
// OfferTerm. Error: ErrTooManyOffers.
func (s *Server) Offer(settings Settings) (string, error) {
	token := strings.ToLower(rand.Text())
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, o := range s.offers {
		if !now.Before(o.until) {
			delete(s.offers, k)
		}
	}
	if len(s.offers) >= maxOffers {
		return "", ErrTooManyOffers
	}
	s.offers[sha256.Sum256([]byte(token))] = offer{settings, now.Add(OfferTerm)}
	u := url.URL{Scheme: "https", Host: net.JoinHostPort(s.o.Host, strconv.Itoa(s.o.Port)), Path: "/" + token + "/"}
	return u.String(), nil
}

// Withdraw ends the offers for a device.
func (s *Server) Withdraw(device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, o := range s.offers {
		if o.settings.Device == device {
			delete(s.offers, k)
		}
	}
}

// find returns the settings of a link. With take, nobody gets them again.
func (s *Server) find(token string, take bool) (Settings, bool) {
	key := offerKey(sha256.Sum256([]byte(token)))
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.offers[key]
	if take || !s.o.Now().Before(o.until) {
		delete(s.offers, key)
	}
	return o.settings, ok && s.o.Now().Before(o.until)
}

// The limits of a request.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = time.Minute
	maxHeader    = 16 << 10
)

// Serve answers on the connections of ln, which are *tls.Conn, until ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: guard(s.mux), ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: writeTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(io.Discard, "", 0), // it would name peers
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return err
	}
	return nil
}

// guard is around all requests.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 0)
		next.ServeHTTP(w, r)
	})
}

//go:embed phone.html style.css
var files embed.FS

var templates = template.Must(template.ParseFS(files, "phone.html"))

// view is what the page shows.
type view struct {
	Settings
	Gone     bool // the link was used, or is too old
	Revealed bool // the settings are on the page
}

func (s *Server) show(w http.ResponseWriter, code int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_ = templates.Execute(w, v) // a browser that has left needs no answer
}

func (s *Server) gone(w http.ResponseWriter) { s.show(w, http.StatusGone, view{Gone: true}) }

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	settings, ok := s.find(r.PathValue("token"), false)
	if !ok {
		s.gone(w)
		return
	}
	s.show(w, http.StatusOK, view{Settings: settings})
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) {
	settings, ok := s.find(r.PathValue("token"), true)
	if !ok {
		s.gone(w)
		return
	}
	s.show(w, http.StatusOK, view{Settings: settings, Revealed: true})
}

func (s *Server) profile(w http.ResponseWriter, r *http.Request) {
	settings, ok := s.find(r.PathValue("token"), true)
	if !ok {
		s.gone(w)
		return
	}
	b, err := Profile(settings)
	s.send(w, ProfileType, b, err)
}

// authority hands out the certificate to trust, which is no secret and takes nothing away.
func (s *Server) authority(w http.ResponseWriter, r *http.Request) {
	settings, ok := s.find(r.PathValue("token"), false)
	if !ok {
		s.gone(w)
		return
	}
	s.send(w, "application/x-x509-ca-cert", settings.CA, nil)
}

func (s *Server) autoconfig(w http.ResponseWriter, _ *http.Request) {
	b, err := Autoconfig(s.o.Public)
	s.send(w, "text/xml; charset=utf-8", b, err)
}

func (s *Server) style(w http.ResponseWriter, _ *http.Request) {
	b, err := files.ReadFile("style.css")
	s.send(w, "text/css; charset=utf-8", b, err)
}

func (s *Server) send(w http.ResponseWriter, kind string, b []byte, err error) {
	if err != nil {
		http.Error(w, "the gateway can't write this", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b) // a device that has left asks again
}

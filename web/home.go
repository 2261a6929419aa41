package web

import (
	"html/template"
	"net/http"

	"github.com/restante/restante/internal/qrsvg"
)

// home shows what this is, and the ways in.
func (s *Server) home(w http.ResponseWriter, _ *http.Request) {
	p := page{Title: "Mail for a name of your own"}
	if s.o.Signup.o.Policy == Open && s.o.CA == nil {
		code, err := qrsvg.Draw(s.accountLink(), "QR code that makes an address in Delta Chat")
		if err != nil {
			s.fail(w, err)
			return
		}
		// The link is made of our own settings.
		p.Body = struct {
			QR   template.HTML
			Link template.URL
		}{code, template.URL(s.accountLink())}
	}
	s.render(w, http.StatusOK, "home", p)
}

// clients shows how to set up mail programs.
func (s *Server) clients(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, "clients", page{Title: "Set up a mail program", Body: s.setup("")})
}

// A setup is what the page says of setting up mail programs.
type setup struct {
	Address  string // "" if it is for anyone
	Incoming []mailServer
	Outgoing []mailServer
	OwnCA    bool
}

func (s *Server) setup(address string) setup {
	return setup{Address: address, Incoming: s.incoming(), Outgoing: s.outgoing(), OwnCA: s.o.CA != nil}
}

// authority serves the certificate of the relay's own authority, where it has one.
func (s *Server) authority(w http.ResponseWriter, r *http.Request) {
	if s.o.CA == nil {
		s.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.o.CA) // a visitor who has left needs no answer
}

func (s *Server) notFound(w http.ResponseWriter, _ *http.Request) { s.fail(w, errNotFound) }

package web

import (
	"io"
	"net/http"
)

// dkimKey serves the record of a DKIM key, as it would stand in DNS.
func (s *Server) dkimKey(w http.ResponseWriter, r *http.Request) {
	if s.o.DKIM == nil {
		s.notFound(w, r)
		return
	}
	record, ok := s.o.DKIM(r.PathValue("selector"))
	if !ok {
		s.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, record+"\n") // an error is the client's who has gone
}

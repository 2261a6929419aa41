package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// A wkdRequest is what somebody asks a Web Key Directory for.
type wkdRequest struct {
	domain string // "" in the direct method: that of the host
	hash   string // "" asks for the policy
}

// parseWKD reads the path below /.well-known/openpgpkey/, of the direct method
// (hu/HASH, policy) or the advanced one, where the domain stands before it. It
// reports false for any other path.
func parseWKD(path string) (wkdRequest, bool) {
	var q wkdRequest
	parts := strings.Split(path, "/")
	if len(parts) > 1 && parts[0] != "hu" {
		a, err := addr.Parse("postmaster@" + parts[0])
		if err != nil {
			return wkdRequest{}, false
		}
		q.domain, parts = a.Domain(), parts[1:]
	}
	switch {
	case len(parts) == 1 && parts[0] == "policy":
		return q, true
	case len(parts) == 2 && parts[0] == "hu" && addr.IsWKDHash(parts[1]):
		q.hash = parts[1]
		return q, true
	}
	return wkdRequest{}, false
}

// wkd serves certificates. The answer is binary, as the draft asks, and open to
// scripts of other sites: web mail looks for keys too.
func (s *Server) wkd(w http.ResponseWriter, r *http.Request) {
	q, ok := parseWKD(r.PathValue("rest"))
	if !ok || q.domain != "" && q.domain != s.domain {
		s.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "max-age=3600")
	if q.hash == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		return // an empty policy: no mail protocol to publish keys (4.5)
	}
	cert, err := s.o.Service.Certificate(r.Context(), q.hash, s.domain)
	if errors.Is(err, mailbox.ErrNoAccount) {
		http.Error(w, "There is no certificate.", http.StatusNotFound)
		return
	}
	if err != nil {
		st := s.statusOf(fmt.Errorf("find certificate: %w", err))
		http.Error(w, st.text, st.code)
		return
	}
	h.Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(cert))
}

package web

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"

	"github.com/restante/restante/mailbox"
)

// newLink leads whoever opens /new in a browser to Delta Chat, as chatmail relays
// do.
func (s *Server) newLink(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", s.accountLink())
	w.WriteHeader(http.StatusFound)
}

// newAccount is the answer of POST /new. Delta Chat reads the first three fields, and
// Reason where the status is not 2xx.
type newAccount struct {
	Email    string `json:"email,omitempty"`
	Password string `json:"password,omitempty"`
	LoginURL string `json:"dclogin_url,omitempty"`

	Reason string `json:"reason,omitempty"`

	// What makes the next try good without a budget: a ticket, to be sent back in
	// X-Restante-PoW after so many seconds, or with work of so many bits.
	Ticket string `json:"ticket,omitempty"`
	Wait   int    `json:"wait,omitempty"`
	Bits   int    `json:"bits,omitempty"`
}

// new makes an account for a program: POST /new, with an empty body, as chatmail
// relays have it. Whoever has a proof sends it in X-Restante-PoW, whoever has a
// token in Authorization, as a bearer token (RFC 6750, 2.1).
func (s *Server) new(w http.ResponseWriter, r *http.Request) {
	var m made
	a := application{peer: peer(r), proof: r.Header.Get("X-Restante-PoW"), token: bearer(r), free: true}
	err := s.o.Signup.admit(r.Context(), a, func() (err error) {
		m, err = s.makeAccount(r.Context(), "", mailbox.AddressOptions{})
		return err
	})
	if err != nil {
		s.refuseNew(w, r, err)
		return
	}
	answer := newAccount{Email: m.Address.String(), Password: m.Secret}
	if s.o.CA != nil {
		answer.LoginURL = s.loginLink(m.Address, m.Secret)
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) refuseNew(w http.ResponseWriter, r *http.Request, err error) {
	st := s.statusOf(err)
	setRetry(w, st)
	answer := newAccount{Reason: st.text}
	if s.o.Signup.o.Policy == Open && !errors.Is(err, errClosed) {
		o := s.o.Signup.offerAgain(peer(r), r.Header.Get("X-Restante-PoW"), err)
		answer.Ticket, answer.Wait, answer.Bits = o.Ticket, int(math.Ceil(o.Wait.Seconds())), o.Bits
	}
	writeJSON(w, st.code, answer)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // a visitor who has left needs no answer
}

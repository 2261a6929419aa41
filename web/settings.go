package web

import (
	"net/url"
	"strconv"

	"github.com/restante/restante/internal/addr"
)

// A mailServer is one way to reach the relay, as a mail program needs to know it.
type mailServer struct {
	Kind string // "imap" or "smtp"
	Host string
	Port int
	TLS  bool // from the first byte; else STARTTLS
}

// incoming lists the IMAP ports, the better first.
func (s *Server) incoming() []mailServer {
	return s.servers("imap", s.o.Ports.IMAPS, s.o.Ports.IMAP)
}

// outgoing lists the submission ports, the better first.
func (s *Server) outgoing() []mailServer {
	return s.servers("smtp", s.o.Ports.SMTPS, s.o.Ports.Submission)
}

func (s *Server) servers(kind string, implicit, starttls int) []mailServer {
	var list []mailServer
	if implicit != 0 {
		list = append(list, mailServer{kind, s.o.Hostname, implicit, true})
	}
	if s.o.Ports.Shared != 0 {
		list = append(list, mailServer{kind, kind + "." + s.domain, s.o.Ports.Shared, true})
	}
	if starttls != 0 {
		list = append(list, mailServer{kind, s.o.Hostname, starttls, false})
	}
	return list
}

// Security is what mail programs call the way to TLS.
func (m mailServer) Security() string {
	if m.TLS {
		return "SSL/TLS"
	}
	return "STARTTLS"
}

// acceptAny is Delta Chat's word for certificates that nobody else has signed.
const acceptAny = "3"

// loginLink returns the link by which Delta Chat takes over an account, with nothing
// to type and nothing to look up.
func (s *Server) loginLink(a addr.Address, password string) string {
	in, out := s.incoming()[0], s.outgoing()[0]
	q := url.Values{"p": {password}, "v": {"1"},
		"ih": {in.Host}, "ip": {strconv.Itoa(in.Port)}, "is": {deltaSecurity(in)},
		"sh": {out.Host}, "sp": {strconv.Itoa(out.Port)}, "ss": {deltaSecurity(out)}}
	if s.o.CA != nil {
		q.Set("ic", acceptAny)
	}
	// PathEscape leaves the @ alone, which Delta Chat looks for.
	return "dclogin:" + url.PathEscape(a.String()) + "?" + q.Encode()
}

func deltaSecurity(m mailServer) string {
	if m.TLS {
		return "ssl"
	}
	return "starttls"
}

// accountLink returns the link by which Delta Chat makes an account here.
func (s *Server) accountLink() string { return "dcaccount:" + s.o.URL + "/new" }

package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// A STSPolicy is what the relay asks of those who send mail to it (MTA-STS, RFC
// 8461): TLS with a certificate for one of its names.
type STSPolicy struct {
	Mode string   // "enforce" or "testing"
	MX   []string // names of the domain's mail servers
}

// stsMaxAge is how long others remember the policy. A week is what RFC 8461, 3.2
// takes for usual; a new policy is announced by a new id and does not wait for it.
const stsMaxAge = 7 * 24 * 3600

// Text returns the policy as others fetch it (RFC 8461, 3.2).
func (p *STSPolicy) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: STSv1\r\nmode: %s\r\n", p.Mode)
	for _, name := range p.MX {
		fmt.Fprintf(&b, "mx: %s\r\n", name)
	}
	fmt.Fprintf(&b, "max_age: %d\r\n", stsMaxAge)
	return b.String()
}

// ID returns what announces the policy in DNS (RFC 8461, 3.1). Another policy has
// another one.
func (p *STSPolicy) ID() string {
	sum := sha256.Sum256([]byte(p.Text()))
	return hex.EncodeToString(sum[:10])
}

// mtaSTS serves the policy, under the one name where it is looked for.
func (s *Server) mtaSTS(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if s.o.STS == nil || !strings.EqualFold(host, "mta-sts."+s.domain) {
		s.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, s.o.STS.Text()) // who has left needs no answer
}

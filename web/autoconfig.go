package web

import (
	"encoding/xml"
	"net/http"

	"github.com/restante/restante/internal/addr"
)

// clientConfig is Mozilla's autoconfig file (draft-ietf-mailmaint-autoconfig), which
// Thunderbird, K-9, Evolution, KMail, FairEmail and Delta Chat read.
type clientConfig struct {
	XMLName  xml.Name      `xml:"clientConfig"`
	Version  string        `xml:"version,attr"`
	Provider emailProvider `xml:"emailProvider"`
}

type emailProvider struct {
	ID        string         `xml:"id,attr"`
	Domain    string         `xml:"domain"`
	Name      string         `xml:"displayName"`
	ShortName string         `xml:"displayShortName"`
	Incoming  []configServer `xml:"incomingServer"`
	Outgoing  []configServer `xml:"outgoingServer"`
}

type configServer struct {
	Type           string `xml:"type,attr"`
	Host           string `xml:"hostname"`
	Port           int    `xml:"port"`
	Socket         string `xml:"socketType"`
	Username       string `xml:"username"`
	Authentication string `xml:"authentication"`
}

// autoconfig serves the file. It is the same for everyone: the program puts the
// address in by itself, and whether there is such an account is not told.
func (s *Server) autoconfig(w http.ResponseWriter, r *http.Request) {
	if asked := r.URL.Query().Get("emailaddress"); asked != "" && !s.serves(asked) {
		s.notFound(w, r)
		return
	}
	writeXML(w, clientConfig{Version: "1.1", Provider: emailProvider{
		ID: s.domain, Domain: s.domain, Name: s.domain, ShortName: s.domain,
		Incoming: configServers(s.incoming()), Outgoing: configServers(s.outgoing()),
	}})
}

// serves reports whether text is an address of this relay's domain, or the
// placeholder of a program that asks before it knows the address.
func (s *Server) serves(text string) bool {
	if text == emailPlaceholder {
		return true
	}
	a, err := addr.Parse(text)
	return err == nil && a.Domain() == s.domain
}

// emailPlaceholder stands for the user's address in autoconfig files.
const emailPlaceholder = "%EMAILADDRESS%"

func configServers(list []mailServer) []configServer {
	var servers []configServer
	for _, m := range list {
		c := configServer{Type: m.Kind, Host: m.Host, Port: m.Port, Socket: "STARTTLS",
			Username: emailPlaceholder, Authentication: "password-cleartext"} // inside TLS
		if m.TLS {
			c.Socket = "SSL"
		}
		servers = append(servers, c)
	}
	return servers
}

// writeXML answers with a document that programs of any site may read: it is the
// same for all.
func writeXML(w http.ResponseWriter, v any) {
	b, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("restante: internal error: " + err.Error())
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(append([]byte(xml.Header), b...)) // a program that has left needs no answer
}

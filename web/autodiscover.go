package web

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
)

// The schemas of Microsoft's autodiscover, in its older form of plain XML
// ([MS-OXDSCLI]), which Outlook and Delta Chat ask for.
const (
	schemaResponse = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
	schemaOutlook  = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
)

// autodiscoverRequest is what a program posts.
type autodiscoverRequest struct {
	XMLName xml.Name `xml:"Autodiscover"`
	Address string   `xml:"Request>EMailAddress"`
	Schema  string   `xml:"Request>AcceptableResponseSchema"`
}

type autodiscoverResponse struct {
	XMLName  xml.Name     `xml:"Autodiscover"`
	Schema   string       `xml:"xmlns,attr"`
	Response responseBody `xml:"Response"`
}

type responseBody struct {
	Schema  string           `xml:"xmlns,attr,omitempty"`
	Account *responseAccount `xml:"Account"`
	Error   *responseError   `xml:"Error"`
}

type responseAccount struct {
	Type      string             `xml:"AccountType"`
	Action    string             `xml:"Action"`
	Protocols []responseProtocol `xml:"Protocol"`
}

type responseProtocol struct {
	Type       string `xml:"Type"`
	Server     string `xml:"Server"`
	Port       int    `xml:"Port"`
	Domain     string `xml:"DomainRequired"`
	Login      string `xml:"LoginName,omitempty"`
	SPA        string `xml:"SPA"`
	SSL        string `xml:"SSL"`
	Encryption string `xml:"Encryption"`
	Auth       string `xml:"AuthRequired"`
}

type responseError struct {
	Code    int    `xml:"ErrorCode"`
	Message string `xml:"Message"`
}

// The error codes of [MS-OXDSCLI], 2.2.4.1.1.1.
const (
	errorInvalidRequest = 600
	errorNoProvider     = 601
)

// maxAutodiscover bounds what a program may post.
const maxAutodiscover = 8 << 10

// parseAutodiscover reads what a program has posted: some XML with an address. It
// reports false for anything else.
func parseAutodiscover(r io.Reader) (autodiscoverRequest, bool) {
	var q autodiscoverRequest
	d := xml.NewDecoder(io.LimitReader(r, maxAutodiscover))
	if err := d.Decode(&q); err != nil {
		return autodiscoverRequest{}, false
	}
	q.Address, q.Schema = strings.TrimSpace(q.Address), strings.TrimSpace(q.Schema)
	return q, q.Address != ""
}

// autodiscover answers POST with a request, and GET without one, as Delta Chat asks.
func (s *Server) autodiscover(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		writeXML(w, s.discovered(""))
	case http.MethodPost:
		writeXML(w, s.discover(r.Body))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "Ask with GET or POST.", http.StatusMethodNotAllowed)
	}
}

func (s *Server) discover(body io.Reader) autodiscoverResponse {
	q, ok := parseAutodiscover(body)
	switch {
	case !ok:
		return refused(errorInvalidRequest, "The request has no address.")
	case q.Schema != "" && q.Schema != schemaOutlook || !s.serves(q.Address):
		return refused(errorNoProvider, "There is no such service here.")
	}
	return s.discovered(q.Address)
}

func refused(code int, message string) autodiscoverResponse {
	return autodiscoverResponse{Schema: schemaResponse, Response: responseBody{Error: &responseError{code, message}}}
}

// discovered is the answer for an address; "" leaves the login name to the program.
func (s *Server) discovered(address string) autodiscoverResponse {
	var list []responseProtocol
	for _, m := range append(s.incoming()[:1], s.outgoing()[:1]...) {
		p := responseProtocol{Type: strings.ToUpper(m.Kind), Server: m.Host, Port: m.Port, Domain: "off", Login: address,
			SPA: "off", SSL: "on", Encryption: "TLS", Auth: "on"}
		if m.TLS {
			p.Encryption = "SSL"
		}
		list = append(list, p)
	}
	account := &responseAccount{Type: "email", Action: "settings", Protocols: list}
	return autodiscoverResponse{Schema: schemaResponse, Response: responseBody{Schema: schemaOutlook, Account: account}}
}

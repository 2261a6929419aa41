package provider

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/restante/restante/internal/addr"
)

// maxCode bounds what Parse looks at. A code has to fit into a QR code.
const maxCode = 4096

// Parse reads a code: an address; dcaccount: or the address of a sign-up page, with
// #token=… if sign-up there takes one; dclogin:. Errors say what to do and don't quote
// the code, which may hold a password.
func Parse(text string) (Code, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxCode {
		return Code{}, badCode("it is too long")
	}
	scheme, rest, _ := strings.Cut(text, ":")
	switch strings.ToLower(scheme) {
	case "dcaccount":
		return parseAccount(rest)
	case "dclogin":
		return parseLogin(rest)
	case "openpgp4fpr":
		return Code{}, ErrContactLink
	case "https":
		return parsePage(text)
	case "http":
		return Code{}, badCode("it leads to a page without TLS")
	}
	a, err := addr.Parse(text)
	if err != nil {
		return Code{}, badCode("it is no address, no https link, and begins with neither dcaccount: nor dclogin:")
	}
	return Code{Address: a}, nil
}

// parseAccount reads dcaccount:https://HOST/new, or dcaccount:HOST, where a first
// login makes the account.
func parseAccount(rest string) (Code, error) {
	if strings.HasPrefix(strings.ToLower(rest), "https:") {
		return parseSignUp(rest)
	}
	host := strings.Trim(rest, "/")
	if _, err := addr.Parse("a@" + host); err != nil {
		return Code{}, badCode("dcaccount: needs a host or an https link behind it")
	}
	return Code{SignUp: &SignUp{Host: host}}, nil
}

// parsePage reads the address of a relay's page, as people pass it on.
func parsePage(text string) (Code, error) {
	u, err := url.Parse(text)
	if err == nil && strings.EqualFold(u.Hostname(), "i.delta.chat") {
		return Code{}, ErrContactLink
	}
	return parseSignUp(text)
}

// parseSignUp reads the address of a page: accounts are made at /new of its host.
func parseSignUp(text string) (Code, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return Code{}, badCode("the link in it has no host")
	}
	fragment, _ := url.ParseQuery(u.Fragment)
	s := &SignUp{Host: u.Host, Token: fragment.Get("token")}
	path := u.Path
	if path == "" || path == "/" || path == "/join" {
		path = "/new"
	}
	s.URL = (&url.URL{Scheme: "https", Host: u.Host, Path: path, RawQuery: u.RawQuery}).String()
	return Code{SignUp: s}, nil
}

// parseLogin reads dclogin:ADDRESS?p=…&v=1 and the servers in it, as Delta Chat
// writes it. That certificates are not to be checked (ic) is not obeyed.
func parseLogin(rest string) (Code, error) {
	who, query, found := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	name, err := url.PathUnescape(strings.TrimSuffix(who, "/"))
	if err != nil || !found {
		return Code{}, badCode("dclogin: needs an address and a password behind it")
	}
	q, err := url.ParseQuery(query)
	if err != nil || q.Get("v") != "1" || q.Get("p") == "" {
		return Code{}, badCode("dclogin: needs a password and version 1")
	}
	a, err := addr.Parse(name)
	if err != nil {
		return Code{}, badCode("there is no address in it")
	}
	l := &Login{Address: a, Password: q.Get("p")}
	if q.Get("ih") == "" && q.Get("sh") == "" {
		return Code{Login: l}, nil
	}
	imap, err := loginServer(q, "i", 993, 143)
	if err != nil {
		return Code{}, err
	}
	smtp, err := loginServer(q, "s", 465, 587)
	if err != nil {
		return Code{}, err
	}
	l.Servers = &Servers{IMAP: imap, SMTP: smtp, User: q.Get("iu")}
	return Code{Login: l}, nil
}

// loginServer reads the host, port and security of one protocol.
func loginServer(q url.Values, kind string, direct, starttls int) (Server, error) {
	s := Server{Host: q.Get(kind + "h"), Port: direct}
	switch q.Get(kind + "s") {
	case "", "0", "ssl", "default":
	case "starttls":
		s.StartTLS, s.Port = true, starttls
	default:
		return Server{}, badCode("it asks for a connection without TLS")
	}
	if text := q.Get(kind + "p"); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return Server{}, badCode("a port in it is no number")
		}
		s.Port = int(n)
	}
	if s.Host == "" {
		return Server{}, badCode("it names one server and not the other")
	}
	return s, nil
}

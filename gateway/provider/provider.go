// Package provider finds out how a mail account is reached, before a gateway
// stands in front of it.
//
// What a user has is a text: an address, or a code from a relay's page. Parse says
// what it is. Settings come from the code itself, from the provider's autoconfig
// file (draft-ietf-mailmaint-autoconfig) or from DNS (RFC 6186, RFC 8314); SignUp
// gets a new account where the code invites to one.
//
//	code, err := provider.Parse("dcaccount:https://relay.example/new")
//	f := provider.Finder{Client: provider.NewClient(nil, nil), Resolver: net.DefaultResolver}
//	login, err := f.SignUp(ctx, code.SignUp)
//	login.Servers, err = f.Find(ctx, login.Address)
//
// Everything is asked by HTTPS, but for the DNS records, which nothing protects: what
// they say about another domain than the address's is marked as doubtful. No third
// party is asked.
package provider

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/restante/restante/internal/addr"
)

// Server is where one protocol of an account is served.
type Server struct {
	Host     string
	Port     int
	StartTLS bool // else TLS from the first byte (RFC 8314, 3)
}

// HostPort returns the server as dialers want it.
func (s Server) HostPort() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// String returns the server as people read it.
func (s Server) String() string {
	if s.StartTLS {
		return s.HostPort() + " (STARTTLS)"
	}
	return s.HostPort()
}

// ParseServer reads what a user says of a server: a host with a port, of which 143 and
// 587 are those with STARTTLS, or a host alone, which is at port.
func ParseServer(text string, port int) (Server, error) {
	host, number, err := net.SplitHostPort(text)
	if err != nil {
		host, number = text, strconv.Itoa(port)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || host == "" {
		return Server{}, errors.New("a server is written host:port, such as mail.example.org:993")
	}
	return Server{Host: host, Port: int(n), StartTLS: n == 143 || n == 587}, nil
}

// Servers is how an account is reached.
type Servers struct {
	IMAP, SMTP Server
	User       string // what to log in with; "" is the address

	// Doubtful says that only DNS names these servers, which are of another domain
	// than the address: whoever can forge DNS can have named them (RFC 6186, 6).
	Doubtful bool
}

// Login is an account with its password.
type Login struct {
	Address  addr.Address
	Password string
	Servers  *Servers // nil if they are to be found
}

// Code is what a user has given to set an account up with. One of its fields is set.
type Code struct {
	SignUp  *SignUp      // an invitation to make an account
	Login   *Login       // an account that exists
	Address addr.Address // an address alone: the password is still to be asked for
}

// SignUp says where an account can be made.
type SignUp struct {
	URL   string // to POST to; "" if a first login at Host makes the account
	Host  string
	Token string // of the operator's, where sign-up takes one
}

// ErrContactLink: the text is an invitation to write to somebody, not one to make an
// account.
var ErrContactLink = errors.New("this link is for writing to somebody, not for an account: " +
	"set up your account first, then `restante gateway accept LINK`")

func badCode(format string, args ...any) error {
	return fmt.Errorf("can't read the code: %s", fmt.Sprintf(format, args...))
}

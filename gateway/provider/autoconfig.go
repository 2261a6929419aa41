package provider

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/restante/restante/internal/addr"
)

// maxConfig bounds an autoconfig file; those of large providers have a few kilobytes.
const maxConfig = 256 << 10

// errNoConfig: a place has no file.
var errNoConfig = errors.New("there is no autoconfig file")

// places returns where a provider may have its file, the better first. The address
// itself is not told: no provider we know of needs it.
func places(domain string) []string {
	const file = "mail/config-v1.1.xml"
	return []string{
		"https://autoconfig." + domain + "/" + file,
		"https://" + domain + "/.well-known/autoconfig/" + file,
	}
}

// autoconfig asks both places at once and takes what the better one has.
func (f Finder) autoconfig(ctx context.Context, a addr.Address) (Servers, error) {
	type answer struct {
		servers Servers
		err     error
	}
	var asked []chan answer
	for _, place := range places(a.Domain()) {
		c := make(chan answer, 1)
		asked = append(asked, c)
		go func() {
			s, err := f.fetchConfig(ctx, place, a)
			c <- answer{s, err}
		}()
	}
	var errs []error
	for _, c := range asked {
		got := <-c
		if got.err == nil {
			return got.servers, nil
		}
		errs = append(errs, got.err)
	}
	return Servers{}, errors.Join(errs...)
}

func (f Finder) fetchConfig(ctx context.Context, place string, a addr.Address) (Servers, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return Servers{}, fmt.Errorf("autoconfig: %w", err)
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return Servers{}, fmt.Errorf("autoconfig: %w", hideURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Servers{}, errNoConfig
	}
	return parseConfig(io.LimitReader(resp.Body, maxConfig), a)
}

// hideURL takes the address of the request out of an error, which the message around
// it need not repeat.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// clientConfig is what we read of the file.
type clientConfig struct {
	Provider struct {
		Incoming []configServer `xml:"incomingServer"`
		Outgoing []configServer `xml:"outgoingServer"`
	} `xml:"emailProvider"`
}

type configServer struct {
	Type           string   `xml:"type,attr"`
	Host           string   `xml:"hostname"`
	Port           int      `xml:"port"`
	Socket         string   `xml:"socketType"`
	User           string   `xml:"username"`
	Authentication []string `xml:"authentication"`
}

var errOnlyOAuth = errors.New("the provider takes no passwords from mail programs (OAuth only): " +
	"make an app password there, and give the servers with --imap and --smtp")

// parseConfig reads an autoconfig file for an address.
func parseConfig(r io.Reader, a addr.Address) (Servers, error) {
	var c clientConfig
	if err := xml.NewDecoder(r).Decode(&c); err != nil {
		return Servers{}, fmt.Errorf("autoconfig: the file can't be read: %w", err)
	}
	in, inErr := choose(c.Provider.Incoming, "imap")
	out, outErr := choose(c.Provider.Outgoing, "smtp")
	if err := errors.Join(inErr, outErr); err != nil {
		return Servers{}, err
	}
	return Servers{IMAP: in.server(), SMTP: out.server(), User: fill(in.User, a)}, nil
}

// choose returns the best server of a type: TLS from the first byte before STARTTLS,
// else the order of the file. Those that need no TLS are not ours.
func choose(list []configServer, kind string) (configServer, error) {
	var best *configServer
	oauth := false
	for i := range list {
		s := &list[i]
		if !strings.EqualFold(s.Type, kind) || s.Socket != "SSL" && s.Socket != "STARTTLS" || s.Host == "" || s.Port < 1 || s.Port > 65535 {
			continue
		}
		if !s.takesPassword() {
			oauth = true
			continue
		}
		if best == nil || best.Socket != "SSL" && s.Socket == "SSL" {
			best = s
		}
	}
	switch {
	case best != nil:
		return *best, nil
	case oauth:
		return configServer{}, errOnlyOAuth
	}
	return configServer{}, fmt.Errorf("autoconfig: the file names no %s server with TLS", kind)
}

func (s configServer) takesPassword() bool {
	known := func(m string) bool { return m == "password-cleartext" || m == "plain" || m == "password-encrypted" }
	return len(s.Authentication) == 0 || slices.ContainsFunc(s.Authentication, known)
}

func (s configServer) server() Server {
	return Server{Host: s.Host, Port: s.Port, StartTLS: s.Socket == "STARTTLS"}
}

// fill puts the address into a user name. The address itself is "".
func fill(user string, a addr.Address) string {
	user = strings.NewReplacer("%EMAILADDRESS%", a.String(), "%EMAILLOCALPART%", a.Local(), "%EMAILDOMAIN%", a.Domain()).Replace(user)
	if user == a.String() {
		return ""
	}
	return user
}

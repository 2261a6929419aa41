// Package phone is what a phone needs to reach a gateway at home, in the forms that
// mail programs take: a configuration profile for Apple's, a QR code for Thunderbird,
// an autoconfig file for those that ask for one, and a page that hands them over once.
//
//	s := phone.NewServer(phone.Options{Host: "192.168.1.5", Port: 1443, Public: settings})
//	url, err := s.Offer(settings)             // shown as a QR code
//	group.Go(func() error { return s.Serve(ctx, listener) })
//
// All forms say the same Settings. Nothing here is kept on a disk.
package phone

import (
	"encoding/json"
	"encoding/xml"
	"log/slog"
)

// Settings is how a mail program on one device reaches the gateway.
type Settings struct {
	Device  string // what its owner calls it
	Address string // of the user, and the name to log in with
	Name    string // of the user, for the From of mail; may be ""

	// Host is the name or the IP address under which the device knows the gateway.
	Host       string
	IMAP, SMTP int // ports; both speak TLS from the first byte

	Password string
	CA       []byte // in PEM: the authority that certifies Host
}

// LogValue keeps settings out of logs.
func (Settings) LogValue() slog.Value { return slog.StringValue("[phone settings]") }

// The numbers of Thunderbird's "Export for Mobile" code, version 1.
const (
	codeVersion   = 1
	codeIMAP      = 0
	codeSMTP      = 0
	codeTLS       = 3
	codeCleartext = 1 // inside TLS
)

// ThunderbirdCode returns the content of a QR code that Thunderbird for Android takes,
// with the password. It has no place for the authority: the program shows the
// certificate's fingerprint and asks.
func ThunderbirdCode(s Settings) (string, error) {
	imap := []any{codeIMAP, s.Host, s.IMAP, codeTLS, codeCleartext, s.Address, s.Device, s.Password}
	smtp := []any{codeSMTP, s.Host, s.SMTP, codeTLS, codeCleartext, s.Address, s.Password}
	identity := []any{s.Address, s.Name}
	b, err := json.Marshal([]any{codeVersion, []any{1, 1}, imap, []any{[]any{smtp, identity}}})
	return string(b), err
}

// clientConfig is Mozilla's autoconfig file, as far as one account needs it.
type clientConfig struct {
	XMLName  xml.Name `xml:"clientConfig"`
	Version  string   `xml:"version,attr"`
	Provider struct {
		ID       string         `xml:"id,attr"`
		Domain   string         `xml:"domain"`
		Name     string         `xml:"displayName"`
		Incoming configuredHost `xml:"incomingServer"`
		Outgoing configuredHost `xml:"outgoingServer"`
	} `xml:"emailProvider"`
}

type configuredHost struct {
	Type           string `xml:"type,attr"`
	Host           string `xml:"hostname"`
	Port           int    `xml:"port"`
	Socket         string `xml:"socketType"`
	User           string `xml:"username"`
	Authentication string `xml:"authentication"`
}

// Autoconfig returns the settings as the file config-v1.1.xml of the autoconfig that
// Thunderbird, K-9 and FairEmail know. It holds no address and no password: the program
// puts them in by itself.
func Autoconfig(s Settings) ([]byte, error) {
	host := func(kind string, port int) configuredHost {
		return configuredHost{Type: kind, Host: s.Host, Port: port, Socket: "SSL", User: "%EMAILADDRESS%", Authentication: "password-cleartext"}
	}
	c := clientConfig{Version: "1.1"}
	c.Provider.ID, c.Provider.Domain, c.Provider.Name = s.Host, s.Host, "Restante gateway"
	c.Provider.Incoming, c.Provider.Outgoing = host("imap", s.IMAP), host("smtp", s.SMTP)
	b, err := xml.MarshalIndent(c, "", "  ")
	return append([]byte(xml.Header), b...), err
}

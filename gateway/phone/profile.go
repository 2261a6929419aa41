package phone

import (
	"encoding/pem"
	"errors"
	"strings"

	"github.com/google/uuid"
	"howett.net/plist"
)

// ProfileType is the media type of a profile.
const ProfileType = "application/x-apple-aspen-config"

// profile is a configuration profile (Apple, Device Management, TopLevel).
type profile struct {
	Content           []any  `plist:"PayloadContent"`
	Description       string `plist:"PayloadDescription"`
	DisplayName       string `plist:"PayloadDisplayName"`
	Identifier        string `plist:"PayloadIdentifier"`
	Organization      string `plist:"PayloadOrganization"`
	RemovalDisallowed bool   `plist:"PayloadRemovalDisallowed"`
	Type              string `plist:"PayloadType"`
	UUID              string `plist:"PayloadUUID"`
	Version           int    `plist:"PayloadVersion"`
}

// Payload is what every part of a profile has. It has a capital letter because the
// encoder looks into embedded structs that have one.
type Payload struct {
	DisplayName string `plist:"PayloadDisplayName"`
	Identifier  string `plist:"PayloadIdentifier"`
	Type        string `plist:"PayloadType"`
	UUID        string `plist:"PayloadUUID"`
	Version     int    `plist:"PayloadVersion"`
}

// rootPayload is a certificate to trust (CertificateRoot).
type rootPayload struct {
	Payload
	FileName string `plist:"PayloadCertificateFileName"`
	Content  []byte `plist:"PayloadContent"` // DER
}

// mailPayload is a mail account (Mail).
type mailPayload struct {
	Payload
	Description string `plist:"EmailAccountDescription"`
	Name        string `plist:"EmailAccountName,omitempty"`
	AccountType string `plist:"EmailAccountType"`
	Address     string `plist:"EmailAddress"`

	IncomingAuthentication string `plist:"IncomingMailServerAuthentication"`
	IncomingHost           string `plist:"IncomingMailServerHostName"`
	IncomingPort           int    `plist:"IncomingMailServerPortNumber"`
	IncomingTLS            bool   `plist:"IncomingMailServerUseSSL"`
	IncomingUser           string `plist:"IncomingMailServerUsername"`
	IncomingPassword       string `plist:"IncomingPassword"`

	OutgoingAuthentication string `plist:"OutgoingMailServerAuthentication"`
	OutgoingHost           string `plist:"OutgoingMailServerHostName"`
	OutgoingPort           int    `plist:"OutgoingMailServerPortNumber"`
	OutgoingTLS            bool   `plist:"OutgoingMailServerUseSSL"`
	OutgoingUser           string `plist:"OutgoingMailServerUsername"`
	OutgoingPassword       string `plist:"OutgoingPassword"`

	// Large attachments would go to Apple's servers in clear, recent addresses to the
	// user's other devices, and mail into accounts that are not encrypted.
	AllowMailDrop  bool `plist:"allowMailDrop"`
	NoRecentsSync  bool `plist:"disableMailRecentsSyncing"`
	PreventMove    bool `plist:"PreventMove"`
	PreventAppMail bool `plist:"PreventAppSheet"`
}

const emailAuthPassword = "EmailAuthPassword"

// Profile returns the settings as a configuration profile (.mobileconfig) for iPhone,
// iPad and Mac: the mail account with its password, and the authority to trust. A newer
// one for the same device and address takes the place of the older. The error is about
// a CA that is no certificate.
func Profile(s Settings) ([]byte, error) {
	block, _ := pem.Decode(s.CA)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("profile: the authority's certificate is not in PEM")
	}
	part := func(kind, name string) Payload {
		return Payload{DisplayName: name, Identifier: s.identifier(kind), Type: kind, UUID: s.uuid(kind), Version: 1}
	}
	p := profile{
		Content: []any{
			rootPayload{Payload: part("com.apple.security.root", "Authority of the gateway"), FileName: "restante.cer", Content: block.Bytes},
			s.mail(part("com.apple.mail.managed", "Mail at the gateway")),
		},
		Description: "Mail of " + s.Address + " by the Restante gateway at " + s.Host + ", for " + s.Device + ".",
		DisplayName: "Restante: " + s.Device, Identifier: s.identifier("profile"), Organization: "Restante",
		Type: "Configuration", UUID: s.uuid("profile"), Version: 1,
	}
	return plist.MarshalIndent(p, plist.XMLFormat, "\t")
}

func (s Settings) mail(p Payload) mailPayload {
	return mailPayload{
		Payload: p, Description: "Restante", Name: s.Name, AccountType: "EmailTypeIMAP", Address: s.Address,
		IncomingAuthentication: emailAuthPassword, IncomingHost: s.Host, IncomingPort: s.IMAP, IncomingTLS: true,
		IncomingUser: s.Address, IncomingPassword: s.Password,
		OutgoingAuthentication: emailAuthPassword, OutgoingHost: s.Host, OutgoingPort: s.SMTP, OutgoingTLS: true,
		OutgoingUser: s.Address, OutgoingPassword: s.Password,
		NoRecentsSync: true, PreventMove: true,
	}
}

// uuid is the same for the same device and address, so that a profile that is
// installed again replaces itself.
func (s Settings) uuid(part string) string {
	name := strings.Join([]string{part, s.Address, s.Device}, "\x00")
	return strings.ToUpper(uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String())
}

func (s Settings) identifier(part string) string {
	return "restante.gateway." + strings.ToLower(s.uuid("identifier")) + "." + part
}

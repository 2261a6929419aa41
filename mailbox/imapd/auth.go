package imapd

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/scram"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

var (
	errPrivacy  = no(imap.ResponseCodePrivacyRequired, "Use TLS first: passwords are not taken in the clear")
	errIdentity = no(imap.ResponseCodeAuthorizationFailed, "Authentication failed: one account can't act for another")
	errBase64   = bad("Expected base64")
	errGaveUp   = bad("Authentication given up")
	errPlain    = bad("Expected authorization identity, address and password, with NUL between them")
)

// runLogin is LOGIN (RFC 9051, 6.2.3).
func (c *conn) runLogin(d *wire.Decoder) error {
	if !c.mayAuthenticate() {
		return errPrivacy // before a literal is asked for, which may be the password
	}
	d.SP()
	user := d.Astring()
	d.SP()
	secret := d.Astring()
	if err := d.End(); err != nil {
		return err
	}
	x, err := c.login(user, secret)
	return c.loggedIn(x, err)
}

// mayAuthenticate reports whether passwords can be sent here.
func (c *conn) mayAuthenticate() bool { return c.protected() || c.srv.o.InsecureAuth }

// mechanisms are those of AUTHENTICATE. Each asks for what it needs beyond the
// initial response, which is nil if there was none (RFC 4959).
var mechanisms = map[string]func(c *conn, initial []byte) (*mailbox.Session, error){
	scram.NamePlus: func(c *conn, initial []byte) (*mailbox.Session, error) { return c.saslSCRAM(initial, true) },
	scram.Name:     func(c *conn, initial []byte) (*mailbox.Session, error) { return c.saslSCRAM(initial, false) },
	"PLAIN":        (*conn).saslPlain,
	"LOGIN":        (*conn).saslLogin,
}

// mechanismNames lists what AUTHENTICATE offers, best first: logins that keep the
// password at home, tied to the connection if that is offered; and those in which it
// travels.
func (c *conn) mechanismNames() []string {
	names := []string{"AUTH=" + scram.Name, "AUTH=PLAIN", "AUTH=LOGIN"}
	if c.offersBinding() {
		return append([]string{"AUTH=" + scram.NamePlus}, names...)
	}
	return names
}

// authenticate is AUTHENTICATE (RFC 9051, 6.2.2).
func (c *conn) authenticate(d *wire.Decoder) error {
	if !c.mayAuthenticate() {
		return errPrivacy
	}
	d.SP()
	mechanism, ok := mechanisms[d.Keyword()]
	var initial []byte
	if d.Special(' ') {
		initial = decodeInitial(d)
	}
	if err := d.End(); err != nil {
		return err
	}
	if !ok {
		return no(imap.ResponseCodeCannot, "Authentication by this mechanism is not offered")
	}
	x, err := mechanism(c, initial)
	return c.loggedIn(x, err)
}

// initial returns the initial response, which it asks for if there was none.
func (c *conn) initial(response []byte, challenge string) ([]byte, error) {
	if response != nil {
		return response, nil
	}
	return c.challenge(challenge)
}

// decodeInitial reads an initial response; "=" stands for an empty one.
func decodeInitial(d *wire.Decoder) []byte {
	text := d.Atom()
	if text == "=" {
		return []byte{}
	}
	initial, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		d.Fail(errBase64)
	}
	return initial
}

// saslPlain is RFC 4616.
func (c *conn) saslPlain(initial []byte) (*mailbox.Session, error) {
	response, err := c.initial(initial, "")
	if err != nil {
		return nil, err
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 || parts[1] == "" {
		return nil, errPlain
	}
	if parts[0] != "" && parts[0] != parts[1] {
		return nil, errIdentity
	}
	return c.login(parts[1], parts[2])
}

// saslLogin is the mechanism that old clients know and no RFC describes; the
// challenges are the ones they look for.
func (c *conn) saslLogin(initial []byte) (*mailbox.Session, error) {
	user, err := c.initial(initial, "Username:")
	if err != nil {
		return nil, err
	}
	password, err := c.challenge("Password:")
	if err != nil {
		return nil, err
	}
	return c.login(string(user), string(password))
}

// challenge asks the client for one response. The connection's limit for lines
// holds for it.
func (c *conn) challenge(text string) ([]byte, error) {
	if err := c.w.ContinueBase64(base64.StdEncoding.EncodeToString([]byte(text))); err != nil {
		return nil, err
	}
	line, err := c.r.ReadLine()
	if err != nil {
		return nil, err
	}
	switch string(line) {
	case "*":
		return nil, errGaveUp
	case "=": // go-imap v2.0.0-beta.8 says so for an empty response after a challenge too
		return []byte{}, nil
	}
	response := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Decode(response, line)
	if err != nil {
		return nil, errBase64
	}
	return response[:n], nil
}

// login opens the account.
func (c *conn) login(user, secret string) (*mailbox.Session, error) {
	return c.srv.o.Service.Login(c.ctx, mailbox.Login{User: user, Secret: secret, Peer: c.srv.o.Peer(c.net)})
}

// loggedIn makes the connection that of an account, or tells why it does not. What
// the domain has refused is counted: it delays those who guess, and after some the
// connection ends.
func (c *conn) loggedIn(x *mailbox.Session, err error) error {
	var misspoken *statusError
	if err != nil && (!errors.As(err, &misspoken) || err == errBinding) {
		if c.failed++; c.failed >= c.srv.o.Limits.Logins {
			c.over = byeBadLogins
		}
	}
	if err != nil {
		return err
	}
	if err := c.srv.enter(x.Account()); err != nil {
		x.Close()
		return err
	}
	c.session, c.state = x, authenticated
	c.unhook = x.AfterRevoked(func() { c.kick(byeRevoked) })
	c.r.SetMaxLine(c.srv.o.Limits.Line)
	if text := x.Alert(); text != "" { // which a client must show to its user (RFC 9051, 7.1)
		c.untaggedStatus(imap.StatusResponseTypeOK, func() { c.writeCode(imap.ResponseCodeAlert) }, text)
	}
	// With the capabilities the client need not ask (RFC 9051, 6.2.3).
	c.done = completion{code: c.writeCapabilityCode, text: "Logged in"}
	return nil
}

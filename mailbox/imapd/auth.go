package imapd

import (
	"encoding/base64"
	"strings"

	"github.com/emersion/go-imap/v2"

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
	return c.login(user, secret)
}

// mayAuthenticate reports whether passwords can be sent here.
func (c *conn) mayAuthenticate() bool { return c.protected() || c.srv.o.InsecureAuth }

// mechanisms are those of AUTHENTICATE. Each asks for what it needs beyond the
// initial response, which is nil if there was none (RFC 4959).
var mechanisms = map[string]func(c *conn, initial []byte) (user, secret string, err error){
	"PLAIN": (*conn).saslPlain,
	"LOGIN": (*conn).saslLogin,
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
	user, secret, err := mechanism(c, initial)
	if err != nil {
		return err
	}
	return c.login(user, secret)
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
func (c *conn) saslPlain(initial []byte) (user, secret string, err error) {
	if initial == nil {
		if initial, err = c.challenge(""); err != nil {
			return "", "", err
		}
	}
	parts := strings.Split(string(initial), "\x00")
	if len(parts) != 3 || parts[1] == "" {
		return "", "", errPlain
	}
	if parts[0] != "" && parts[0] != parts[1] {
		return "", "", errIdentity
	}
	return parts[1], parts[2], nil
}

// saslLogin is the mechanism that old clients know and no RFC describes; the
// challenges are the ones they look for.
func (c *conn) saslLogin(initial []byte) (user, secret string, err error) {
	if initial == nil {
		if initial, err = c.challenge("Username:"); err != nil {
			return "", "", err
		}
	}
	password, err := c.challenge("Password:")
	return string(initial), string(password), err
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
	if string(line) == "*" {
		return nil, errGaveUp
	}
	response := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Decode(response, line)
	if err != nil {
		return nil, errBase64
	}
	return response[:n], nil
}

// login opens the account. Failures are counted: the domain delays those who
// guess, and after some the connection ends.
func (c *conn) login(user, secret string) error {
	x, err := c.srv.o.Service.Login(c.ctx, mailbox.Login{User: user, Secret: secret, Peer: c.srv.o.Peer(c.net)})
	if err != nil {
		if c.failed++; c.failed >= c.srv.o.Limits.Logins {
			c.over = byeBadLogins
		}
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

// Package scram is the server's half of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC
// 5802, RFC 7677), with the channel binding tls-exporter (RFC 9266): a login in
// which the password is never sent, the client learns that the server knew it
// too, and with -PLUS that nobody stands between them.
//
//	x := scram.New(scram.Options{Plus: plus, Binding: exported})
//	user, err := x.Begin(first)            // client-first-message
//	send(x.Challenge(salt, scram.Iterations))
//	err = x.Finish(final)                  // client-final-message
//	clientKey, ok := x.Prove(keys)         // for each password it may have been
//	send(x.Signature(keys))
//
// The server keeps Keys, from which nobody can log in. The ClientKey, which a
// client proves to have, it learns only at a login: so it can be what opens the
// account.
//
// An Exchange is for one login and one goroutine.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The names of the mechanisms.
const (
	Name     = "SCRAM-SHA-256"
	NamePlus = "SCRAM-SHA-256-PLUS"
)

const (
	// SaltSize is the size of a salt.
	SaltSize = 16
	// Iterations is the number that RFC 7677, 4 asks for. It is enough, because
	// the passwords are generated and can't be guessed.
	Iterations = 4096
	// KeySize is the size of each key.
	KeySize = sha256.Size

	// ExporterLabel is what the binding is exported from TLS for (RFC 9266, 2),
	// without a context and with ExporterSize bytes.
	ExporterLabel = "EXPORTER-Channel-Binding"
	ExporterSize  = 32

	// maxMessage bounds what a client can send.
	maxMessage = 4096
)

var (
	// ErrSyntax: the message is none of SCRAM, or asks for what isn't offered.
	ErrSyntax = errors.New("scram: malformed message")
	// ErrBinding: the client sees another connection than the server does, or was
	// kept from seeing what the server offers.
	ErrBinding = errors.New("scram: channel binding does not match")
)

// Keys are what a server keeps of a password.
type Keys struct {
	Stored [KeySize]byte
	Server [KeySize]byte
}

// Derive makes the keys of a password, and the ClientKey that a login proves. A
// password outside ASCII would first have to be prepared (RFC 4013).
func Derive(password string, salt []byte, iterations int) (Keys, [KeySize]byte, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, KeySize)
	if err != nil {
		return Keys{}, [KeySize]byte{}, fmt.Errorf("scram: stretch password: %w", err)
	}
	defer clear(salted)
	client := [KeySize]byte(mac(salted, "Client Key"))
	return Keys{Stored: sha256.Sum256(client[:]), Server: [KeySize]byte(mac(salted, "Server Key"))}, client, nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Options are the circumstances of a login.
type Options struct {
	Plus    bool   // the mechanism is NamePlus
	Offered bool   // NamePlus was among the mechanisms that the client was told
	Binding []byte // exported from TLS; nil is none
}

// An Exchange is one login.
type Exchange struct {
	o     Options
	nonce string // the server's

	header string // GS2
	first  string // client-first-message-bare
	server string // server-first-message
	both   string // nonce of client and server
	final  string // client-final-message-without-proof
	proof  []byte
}

// New begins an exchange.
func New(o Options) *Exchange { return &Exchange{o: o, nonce: rand.Text()} }

// Begin reads the first message, and returns who wants to log in. Errors:
// ErrSyntax, ErrBinding.
func (x *Exchange) Begin(message []byte) (user string, err error) {
	if len(message) > maxMessage {
		return "", ErrSyntax
	}
	parts := strings.SplitN(string(message), ",", 3)
	if len(parts) != 3 {
		return "", ErrSyntax
	}
	if err := x.flag(parts[0]); err != nil {
		return "", err
	}
	x.header, x.first = parts[0]+","+parts[1]+",", parts[2]
	fields := strings.Split(x.first, ",")
	if len(fields) < 2 {
		return "", ErrSyntax
	}
	user, ok := name(fields[0], "n=")
	nonce, isNonce := strings.CutPrefix(fields[1], "r=")
	if !ok || !isNonce || !printable(nonce) {
		return "", ErrSyntax
	}
	if actor, ok := name(parts[1], "a="); parts[1] != "" && (!ok || actor != user) {
		return "", ErrSyntax // nobody acts for another
	}
	x.both = nonce + x.nonce
	return user, nil
}

// flag reads what the client says of channel binding (RFC 5802, 6). "y" means that
// it could, and believes that the server can't: if the server can, somebody has
// taken the offer out.
func (x *Exchange) flag(flag string) error {
	switch {
	case flag == "p=tls-exporter" && x.o.Plus && x.o.Binding != nil, flag == "n" && !x.o.Plus:
		return nil
	case flag == "y" && !x.o.Plus && !x.o.Offered:
		return nil
	case flag == "y", strings.HasPrefix(flag, "p="):
		return ErrBinding
	}
	return ErrSyntax
}

// name reads a saslname (RFC 5802, 7).
func name(s, prefix string) (string, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok || s == "" {
		return "", false
	}
	plain := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s)
	escapes := strings.Count(s, "=2C") + strings.Count(s, "=3D")
	return plain, strings.Count(s, "=") == escapes
}

// printable reports whether s is a nonce.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
}

// Challenge returns the server's first message.
func (x *Exchange) Challenge(salt []byte, iterations int) []byte {
	x.server = fmt.Sprintf("r=%s,s=%s,i=%d", x.both, base64.StdEncoding.EncodeToString(salt), iterations)
	return []byte(x.server)
}

// Finish reads the final message, up to the proof. Errors: ErrSyntax, ErrBinding.
func (x *Exchange) Finish(message []byte) error {
	at := strings.LastIndex(string(message), ",p=")
	if at < 0 || len(message) > maxMessage {
		return ErrSyntax
	}
	proof, err := base64.StdEncoding.DecodeString(string(message[at+len(",p="):]))
	if err != nil || len(proof) != KeySize {
		return ErrSyntax
	}
	x.final, x.proof = string(message[:at]), proof
	fields := strings.Split(x.final, ",")
	if len(fields) < 2 || fields[1] != "r="+x.both {
		return ErrSyntax
	}
	text, ok := strings.CutPrefix(fields[0], "c=")
	seen, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return ErrSyntax
	}
	want := x.header
	if x.o.Plus {
		want += string(x.o.Binding)
	}
	if subtle.ConstantTimeCompare(seen, []byte(want)) != 1 {
		return ErrBinding
	}
	return nil
}

// Prove reports whether the client has the ClientKey that belongs to these keys,
// and returns it.
func (x *Exchange) Prove(k Keys) (clientKey [KeySize]byte, ok bool) {
	signature := mac(k.Stored[:], x.messages())
	subtle.XORBytes(clientKey[:], x.proof, signature)
	stored := sha256.Sum256(clientKey[:])
	return clientKey, subtle.ConstantTimeCompare(stored[:], k.Stored[:]) == 1
}

// Signature returns the server's final message, which proves that it has the keys.
func (x *Exchange) Signature(k Keys) []byte {
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(k.Server[:], x.messages())))
}

// messages is the AuthMessage.
func (x *Exchange) messages() string { return x.first + "," + x.server + "," + x.final }

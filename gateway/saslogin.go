package gateway

import "github.com/emersion/go-sasl"

// loginServer is the server's half of LOGIN (draft-murchison-sasl-login): some mail
// clients, Outlook above all, know nothing else.
type loginServer struct {
	check          func(user, password string) error
	begun, hasUser bool
	user           string
}

var _ sasl.Server = (*loginServer)(nil)

// Next takes the user name, which may come with the command, and then the password.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if !l.begun {
		l.begun = true
		if response == nil {
			return []byte("Username:"), false, nil
		}
	}
	if !l.hasUser {
		l.user, l.hasUser = string(response), true
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

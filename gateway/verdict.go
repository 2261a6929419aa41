package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/restante/restante/pgp"
)

// Verdict is what is known of a mail that came in. The user's mail client shows it
// without knowing of it: bad news stands in the Subject, the rest in header fields.
type Verdict struct {
	State    State
	Standing Standing        // of the key that made a good signature
	Signer   pgp.Fingerprint // of a good signature, else empty
	// Outside says that the mail has no header of its own inside: who wrote what to
	// whom stands outside the signature.
	Outside bool
}

// State is the worst that is to be said of a mail.
type State int

// The states, and what the Subject says first.
const (
	Good         State = iota // encrypted, and signed by a key in use for its sender
	Own                       // encrypted, and signed by the user
	NewKey                    // encrypted, and signed by somebody whom the user has not accepted yet
	Cleartext                 // not encrypted
	NotSigned                 // encrypted by anybody
	UnknownKey                // signed by a key that we don't have
	KeyChanged                // signed by another key than the pinned one
	Forged                    // signed, and changed since
	WrongSender               // signed by somebody for whom the header does not speak
	Redirected                // signed and meant for others
	Unreadable                // encrypted, and no key opens it
	DamagedState              // encrypted, and it does not open
)

var states = [...]struct{ word, marker string }{
	Good:         {"good", ""},
	Own:          {"own", ""},
	NewKey:       {"new-key", ""},
	Cleartext:    {"cleartext", "[NOT ENCRYPTED]"},
	NotSigned:    {"unsigned", "[NOT SIGNED]"},
	UnknownKey:   {"unknown-key", "[UNKNOWN KEY]"},
	KeyChanged:   {"key-changed", "[KEY CHANGED]"},
	Forged:       {"bad-signature", "[BAD SIGNATURE]"},
	WrongSender:  {"wrong-sender", "[WRONG SENDER]"},
	Redirected:   {"redirected", "[NOT WRITTEN TO YOU]"},
	Unreadable:   {"unreadable", "[NO KEY OPENS THIS]"},
	DamagedState: {"damaged", "[DAMAGED]"},
}

// String returns the word that the header field has.
func (s State) String() string { return states[s].word }

// Marker returns what the Subject begins with: nothing if there is no bad news.
func (s State) Marker() string { return states[s].marker }

// evidence is what a verdict on an opened mail rests on.
type evidence struct {
	result    pgp.Result
	own       bool     // the good signature is by a key of the user's
	standing  Standing // of the signer's key, for the address in From
	fromAgree bool     // From inside is From outside, and there is one
	fromOwn   bool     // From is the user's address
	stranger  bool     // the user has not decided to have mail of the sender
}

// judge returns the verdict on a mail that was decrypted.
func judge(e evidence) Verdict {
	switch e.result.Signature {
	case pgp.Unsigned:
		return Verdict{State: NotSigned}
	case pgp.UnknownSigner:
		return Verdict{State: UnknownKey}
	case pgp.BadSignature:
		return Verdict{State: Forged}
	}
	v := Verdict{State: Good, Standing: e.standing, Signer: e.result.Signer}
	switch {
	case e.result.Misdirected:
		v.State = Redirected
	case !e.fromAgree, e.own != e.fromOwn:
		v.State = WrongSender
	case e.own:
		v.State, v.Standing = Own, Verified
	case e.standing == Changed:
		v.State = KeyChanged
	case e.standing == Unknown:
		v.State = UnknownKey
	case e.stranger:
		v.State = NewKey
	}
	return v
}

// judgeFailure returns the verdict on a mail that does not open.
func judgeFailure(err error) Verdict {
	if errors.Is(err, pgp.ErrNoKey) {
		return Verdict{State: Unreadable}
	}
	return Verdict{State: DamagedState}
}

// fields returns the header fields that say it.
func (v Verdict) fields() []pgp.Field {
	status := v.State.String()
	if v.Signer != "" {
		status += fmt.Sprintf("; key=%s; trust=%s", v.Signer, v.Standing)
	}
	if v.Outside {
		status += "; header=unprotected"
	}
	return []pgp.Field{{Name: statusField, Value: status}, {Name: "Authentication-Results", Value: v.authentication()}}
}

// authentication is the value of Authentication-Results (RFC 8601): only the gateway
// writes such a field into mail that it stores.
func (v Verdict) authentication() string {
	outcome := "fail"
	switch v.State {
	case Good, Own, NewKey:
		outcome = "pass"
	case Cleartext, NotSigned:
		outcome = "none"
	case UnknownKey, Unreadable:
		outcome = "neutral"
	}
	value := localServerName + "; x-openpgp=" + outcome
	if v.Signer != "" {
		value += " x-openpgp.key=" + strings.ToLower(string(v.Signer))
	}
	return value
}

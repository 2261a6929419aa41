package mta

import (
	"bytes"
	"slices"
	"strings"

	"github.com/restante/restante/internal/addr"
)

// # Mail to the operator
//
// Every domain with mail has a postmaster (RFC 5321, 4.5.1), and abuse is where
// others complain (RFC 2142, 4). Both reach the account that the operator has
// named. People who write there know nothing of OpenPGP, and so mail for these may
// come in clear from outside, if the operator says so (cleartext.go).

// operatorNames are the local parts that mean the operator.
var operatorNames = []string{"postmaster", "abuse"}

// forOperator reports whether mail to an address is the operator's.
func (p policy) forOperator(to addr.Address) bool {
	return !p.operator.IsZero() && p.local(to) && slices.Contains(operatorNames, strings.ToLower(to.Local()))
}

// mayBeClear reports whether mail to an address need not be encrypted.
func (p policy) mayBeClear(to addr.Address) bool {
	return p.clear && p.role == exchange && p.forOperator(to)
}

// bareRecipient is a command that RFC 5321, 4.1.1.3 has and the engine doesn't
// know: the postmaster of whoever is asked.
var bareRecipient = []byte("RCPT TO:<postmaster>")

// withDomain completes bareRecipient at the beginning of what came in, and reports
// whether it was there.
func withDomain(b []byte, domain string) ([]byte, bool) {
	n := len(bareRecipient)
	if len(b) < n || !bytes.EqualFold(b[:n], bareRecipient) {
		return nil, false
	}
	return slices.Concat(b[:n-1], []byte("@"+domain), b[n-1:]), true
}

// noteRecipient notes whether the next bytes are certain to be a command that can
// be RCPT: the last command was MAIL or RCPT, came alone, and was answered. The
// engine reads ahead, so that in a pipeline nobody else knows where commands are.
func (w *wire) noteRecipient(r reply) {
	w.beforeRecipient = w.lines == 1 && (r == replySender || r == replyRecipient)
	w.lines = 0
}

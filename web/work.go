package web

import (
	"crypto/sha256"
	"math/bits"
	"strings"
)

// maxWork is the length of the longest number that work.js comes to: JavaScript
// counts exactly up to 2^53.
const maxWork = 16

// A proof is what a visitor shows for an account: a ticket alone, if he has
// waited, or a ticket, a colon and the number that his browser has found.
type proof struct {
	ticket string
	work   string // digits; "" if there was none
}

// parseProof reads a proof, as it stands in the header X-Restante-PoW. Anything
// that is none is errTicket.
func parseProof(text string) (proof, error) {
	ticket, work, found := strings.Cut(text, ":")
	if len(ticket) != ticketText || found && !isWork(work) {
		return proof{}, errTicket
	}
	return proof{ticket: ticket, work: work}, nil
}

// isWork reports whether s is a decimal number as work.js writes it.
func isWork(s string) bool {
	if len(s) == 0 || len(s) > maxWork || len(s) > 1 && s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// String returns what parseProof reads.
func (p proof) String() string {
	if p.work == "" {
		return p.ticket
	}
	return p.ticket + ":" + p.work
}

// zeroBits measures the work in a proof: the zero bits that the SHA-256 of its text
// begins with. n bits take 2^n tries.
func (p proof) zeroBits() int {
	if p.work == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(p.String()))
	n := 0
	for _, b := range sum {
		n += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return n
}

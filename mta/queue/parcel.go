package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/restante/restante/internal/addr"
)

// A parcel is one message for recipients that one server takes.
type parcel struct {
	from addr.Address // zero: the null sender
	to   []stop

	size       int64
	eightBit   bool // it has bytes above 127
	utf8       bool // its header has (RFC 6532)
	requireTLS bool // RFC 8689

	envID string // xtext, as the sender gave it (RFC 3461, 4.4)

	// open returns the message, with CRLF line ends, from its beginning.
	open func(ctx context.Context) (io.ReadCloser, error)
}

// A stop is one recipient of a parcel.
type stop struct {
	address  addr.Address
	notify   string // "NEVER", or words of RFC 3461, 4.1 with commas; "" is the default
	original string // ORCPT as the sender gave it; "" if it did not
}

// An outcome is what became of one recipient in one attempt.
type outcome int

const (
	deferred  outcome = iota // try again
	delivered                // the other server has taken it over
	failed                   // trying again is of no use
)

// A verdict is an outcome with its reason.
type verdict struct {
	outcome outcome
	status  enhanced // what to tell the sender
	reply   reply    // of the other server, if it was it that decided
	err     error    // our own reason, if it was not
}

// judge turns a reply into a verdict.
func judge(r reply) verdict {
	switch {
	case r.positive():
		return verdict{outcome: delivered, status: r.status(), reply: r}
	case r.permanent():
		return verdict{outcome: failed, status: r.status(), reply: r}
	}
	return verdict{outcome: deferred, status: r.status(), reply: r}
}

// judgeRecipient does the same for the reply to RCPT. Servers that find the
// recipients too many should say 452, and some say 552 (RFC 5321, 4.5.3.1.10).
func judgeRecipient(r reply) verdict {
	v := judge(r)
	if r.code == 552 && (r.enhanced == (enhanced{}) || r.enhanced == (enhanced{5, 5, 3})) {
		v.outcome, v.status = deferred, enhanced{4, 5, 3}
	}
	return v
}

// Why a message can't go to this server, whatever the server says.
var (
	errEightBit   = errors.New("queue: the message has 8-bit data and the server takes none")
	errUTF8       = errors.New("queue: an address or the header needs SMTPUTF8, which the server does not speak")
	errRequireTLS = errors.New("queue: the sender requires TLS on the whole way, which the server can't promise")
	errPeerSize   = errors.New("queue: the message is larger than the server takes")
)

// unfit says what a server lacks that a message needs. We can't convert: what is
// signed stays as it is.
func (p *parcel) unfit(caps capabilities, verified bool) (verdict, bool) {
	limit := caps.maxSize()
	switch {
	case p.requireTLS && (!verified || !caps.has("REQUIRETLS")):
		return verdict{outcome: failed, status: enhanced{5, 7, 30}, err: errRequireTLS}, true // RFC 8689, 4.2.1
	case p.needsUTF8() && !caps.has("SMTPUTF8"):
		return verdict{outcome: failed, status: enhanced{5, 6, 7}, err: errUTF8}, true // RFC 6531, 3.5
	case p.eightBit && !caps.has("8BITMIME"):
		return verdict{outcome: failed, status: enhanced{5, 6, 3}, err: errEightBit}, true // RFC 6152, 3
	case limit > 0 && p.size > limit:
		return verdict{outcome: failed, status: enhanced{5, 3, 4}, err: errPeerSize}, true // RFC 1870, 6.1
	}
	return verdict{}, false
}

func (p *parcel) needsUTF8() bool {
	if p.utf8 || !isASCII(p.from.Local()) {
		return true
	}
	for _, s := range p.to {
		if !isASCII(s.address.Local()) {
			return true
		}
	}
	return false
}

// mailCommand returns MAIL with the parameters that the server knows.
func (p *parcel) mailCommand(caps capabilities) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MAIL FROM:<%s>", p.from)
	if caps.has("SIZE") {
		fmt.Fprintf(&b, " SIZE=%d", p.size)
	}
	if p.eightBit {
		b.WriteString(" BODY=8BITMIME")
	}
	if p.needsUTF8() {
		b.WriteString(" SMTPUTF8")
	}
	if p.requireTLS {
		b.WriteString(" REQUIRETLS")
	}
	if caps.has("DSN") {
		b.WriteString(" RET=HDRS") // nobody needs the message back
		if p.envID != "" {
			b.WriteString(" ENVID=" + p.envID)
		}
	}
	return b.String()
}

// command returns RCPT.
func (s *stop) command(caps capabilities) string {
	c := fmt.Sprintf("RCPT TO:<%s>", s.address)
	if !caps.has("DSN") {
		return c
	}
	if s.notify != "" {
		c += " NOTIFY=" + s.notify
	}
	if s.original != "" {
		c += " ORCPT=" + s.original
	}
	return c
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

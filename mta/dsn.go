package mta

import (
	"fmt"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// addressee returns a recipient elsewhere with the wishes about reports that came
// with it (RFC 3461, 4.1 and 4.2). The engine has checked and decoded them.
func addressee(to addr.Address, o *smtp.RcptOptions) mailbox.Addressee {
	a := mailbox.Addressee{Address: to}
	if o == nil {
		return a
	}
	var words []string
	for _, n := range o.Notify {
		words = append(words, string(n))
	}
	a.Notify = strings.Join(words, ",")
	if o.OriginalRecipientType == smtp.DSNAddressTypeRFC822 {
		if text := xtext(o.OriginalRecipient); text != "" {
			a.Original = "rfc822;" + text
		}
	}
	return a
}

// maxXtext bounds what a client can have us repeat to others: an ORCPT has up to
// 500 bytes (RFC 3461, 4.2), and an ENVID up to 100 (4.4).
const maxXtext = 500

// xtext encodes printable ASCII as RFC 3461, 4 wants it, or returns "" for what is
// something else, or too long.
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return ""
		case c == ' ' || c == '+' || c == '=':
			fmt.Fprintf(&b, "+%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > maxXtext {
		return ""
	}
	return b.String()
}

package addr

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// profile maps as browsers and mail programs do (UTS #46, non-transitional). STD3 rules are off because they forbid the
// underscore, with which the names of self-signed chatmail relays begin; isHostname then checks all the rest.
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(false),
	idna.VerifyDNSLength(true))

// canonicalDomain checks a Domain or address-literal and returns its one spelling.
func canonicalDomain(s string) (string, error) {
	if strings.HasPrefix(s, "[") {
		return canonicalLiteral(s)
	}
	d := strings.ToLower(s)
	if !isASCII(s) || strings.Contains(d, "xn--") {
		var err error
		if d, err = profile.ToASCII(s); err != nil {
			return "", invalid("domain is not a valid internationalised name")
		}
		if again, err := profile.ToASCII(d); err != nil || again != d {
			return "", invalid("domain has no single canonical spelling")
		}
	}
	if !isHostname(d) {
		return "", invalid("domain is not a host name")
	}
	return d, nil
}

// canonicalLiteral checks an address literal (RFC 5321, 4.1.3). Tags other than IPv6 are registered nowhere.
func canonicalLiteral(s string) (string, error) {
	inside, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return "", invalid("address literal without ]")
	}
	const tag = "IPv6:"
	is6 := len(inside) > len(tag) && strings.EqualFold(inside[:len(tag)], tag)
	if is6 {
		inside = inside[len(tag):]
	}
	ip, err := netip.ParseAddr(inside)
	if err != nil || ip.Is4() == is6 || ip.Zone() != "" {
		return "", invalid("address literal is not an IP address")
	}
	if is6 {
		return "[" + tag + ip.String() + "]", nil
	}
	return "[" + ip.String() + "]", nil
}

// isHostname reports whether s is a domain name in lower case: labels of letters, digits, underscores and inner hyphens.
func isHostname(s string) bool {
	if len(s) > MaxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

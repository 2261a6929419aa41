package pgp

import (
	"bytes"
	"slices"
	"strings"

	"github.com/restante/restante/internal/mime"
)

// The headers of the two parts are outside the encryption too. The gate lets through the fields and values that mail
// software writes and nothing else. Those with a name beside them were seen in the sources of that software or in mail
// by it: Thunderbird, Enigmail, Delta Chat, NeoMutt, KMail, GPGMail, K-9 Mail, Horde, PEAR's mail classes (Roundcube) and
// Proton's bridge. The others are fixed phrases of the same kind, which carry no message whoever writes them.

const badPartHeader = "a part of the encrypted message has a header field or value that the gate does not know"

// checkPartHeader checks the header of a part that must have the media type.
func checkPartHeader(p *mime.Part, mediaType string) error {
	if !p.Is(mediaType) {
		return refuse("a part of the encrypted message is not %s", mediaType)
	}
	for f := range mime.Fields(p.Header) {
		if !knownPartField(p, f) {
			return refuse(badPartHeader)
		}
	}
	return nil
}

// knownPartField judges one field. Content-Type and Content-Disposition were read by the walk, and their defects are
// checked; but comments in them are not in its result, so they are refused here.
//
// The data is never in quoted-printable or base64: RFC 3156, 3 wants 7bit, no client named above writes anything else,
// and what recodes it on the way (Exchange) breaks DKIM too. K-9 Mail marks the part with the version as
// quoted-printable, in which "Version: 1" is the same.
func knownPartField(p *mime.Part, f mime.Field) bool {
	switch {
	case f.Is("Content-Type"):
		return !hasComment(f) && knownParams(p.Params)
	case f.Is("Content-Disposition"):
		return !hasComment(f) && (p.Disposition == "inline" || p.Disposition == "attachment") &&
			knownParams(p.DispositionParams)
	case f.Is("Content-Description"):
		return slices.Contains(partDescriptions, f.Value())
	case f.Is("Content-Transfer-Encoding"):
		return isOneOf(f.Value(), "7bit", "8bit") || p.Subtype == "pgp-encrypted" && isOneOf(f.Value(), "quoted-printable")
	case f.Is("MIME-Version"):
		return f.Value() == "1.0" // Python's email package repeats it in each part
	}
	return false
}

// hasComment reports whether a structured field has a comment, which the walk skips.
func hasComment(f mime.Field) bool { return bytes.ContainsAny(f.Raw, "()") }

// knownParams judges parameters of a part: a file name that software gives, or a character set.
func knownParams(ps mime.Params) bool {
	for _, p := range ps {
		switch p.Name {
		case "name", "filename":
			if !slices.Contains(partNames, p.Value) {
				return false
			}
		case "charset":
			if !knownCharset(p.Value) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func knownCharset(s string) bool {
	return isOneOf(s, "us-ascii", "utf-8", "iso-8859-1", "windows-1252")
}

func isOneOf(s string, list ...string) bool {
	return slices.ContainsFunc(list, func(known string) bool { return strings.EqualFold(s, known) })
}

// knownPreamble reports whether text, without blanks around it, is what software writes for readers without MIME.
func knownPreamble(text string) bool {
	return slices.Contains(preambles, strings.TrimSuffix(text, "."))
}

var (
	partDescriptions = []string{
		"PGP/MIME version identification",  // Thunderbird, Enigmail, Delta Chat, Proton, PEAR
		"PGP/MIME Versions Identification", // GPGMail, Horde
		"OpenPGP/MIME Versions Identification",
		"OpenPGP encrypted message",  // nearly all
		"PGP/MIME encrypted message", // PEAR
		"This is an OpenPGP encrypted message part",
	}
	partNames = []string{
		"encrypted.asc", // nearly all
		"msg.asc",       // NeoMutt, KMail
		"message.asc", "encrypted.pgp", "encrypted.gpg", "version.asc", "version.txt",
		"openpgp-encrypted-message.asc", "OpenPGP-encrypted-message.asc",
		"OpenPGP_encrypted_message.asc", "PGPMIME version identification",
	}
	preambles = []string{
		"",
		"This is a MIME-encapsulated message", // Postfix, in reports
		"This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)", // Thunderbird, Enigmail
		"This is an OpenPGP/MIME encrypted message (RFC 2440 and 3156)", // GPGMail
		"This is an OpenPGP/MIME encrypted message (RFC 3156)",
		"This is an OpenPGP/MIME encrypted message",
		"This is a multi-part message in MIME format",
		"This is a multipart message in MIME format",
		"This is a message in Mime Format.  If you see this, your mail reader does not support this format",
	}
)

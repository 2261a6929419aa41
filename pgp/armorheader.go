package pgp

import (
	"errors"
	"slices"
	"strings"
)

// Armor header lines are outside the encryption and made of free text. The gate lets through what mail software writes
// there by itself, and nothing that a person could write.

var errArmorHeader = errors.New("the armor has a header line with text that the gate does not know; " +
	"turn off version and comment lines (gpg: --no-emit-version --no-comments)")

// checkArmorHeader takes one line "Key: value".
func checkArmorHeader(line []byte) error {
	key, value, ok := strings.Cut(string(line), ": ")
	known := false
	switch {
	case !ok:
	case key == "Version":
		known = knownVersion(value)
	case key == "Comment":
		known = slices.Contains(armorComments, value)
	case key == "Charset":
		known = slices.Contains([]string{"UTF-8", "utf-8", "US-ASCII", "us-ascii", "ISO-8859-1"}, value)
	case key == "Hash":
		known = slices.Contains([]string{"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"}, value)
	}
	if !known {
		return errArmorHeader
	}
	return nil
}

// knownVersion reports whether value is a product, its version number, and where it runs.
func knownVersion(value string) bool {
	for _, product := range armorProducts {
		if rest, ok := strings.CutPrefix(value, product); ok && isVersion(rest) {
			return true
		}
	}
	return false
}

// isVersion reports whether s is like " v2.0.22 (GNU/Linux)", or empty.
func isVersion(s string) bool {
	s = strings.TrimPrefix(s, " ")
	if before, ok := cutPlatform(s); ok {
		s = before
	}
	s = strings.TrimPrefix(s, "v")
	return len(s) <= 16 && strings.Trim(s, "0123456789.") == ""
}

func cutPlatform(s string) (string, bool) {
	for _, platform := range armorPlatforms {
		if before, ok := strings.CutSuffix(s, platform); ok {
			return strings.TrimSuffix(before, " "), true
		}
	}
	return s, false
}

// Products are those that are known to name themselves; a new one is refused with advice until it stands here.
var (
	armorProducts = []string{
		"GnuPG", "GnuPG/MacGPG2", "OpenPGP.js", "Mailvelope", "BCPG", "BCPG C#", "PGPainless", "ProtonMail",
		"OpenKeychain", "FlowCrypt", "Keybase OpenPGP", "NetPGP", "rnp", "RNP", "Sequoia PGP", "iPGMail", "APG",
		"Encryption Desktop", "PGP Desktop", "PGP Universal", "GPGTools", "SOP",
	}
	armorPlatforms = []string{
		"(GNU/Linux)", "(MingW32)", "(Darwin)", "(Cygwin)", "(FreeBSD)", "(OpenBSD)", "(NetBSD)", "(SunOS)", "(Android)",
	}
	armorComments = []string{
		"GPGTools - https://gpgtools.org", "GPGTools - http://gpgtools.org", "https://gpgtools.org",
		"https://openpgpjs.org", "http://openpgpjs.org", "https://keybase.io/crypto",
		"https://www.mailvelope.com", "https://mailvelope.com", "https://protonmail.com",
		"Using GnuPG with Thunderbird - https://www.enigmail.net/",
		"Using GnuPG with Thunderbird - http://www.enigmail.net/",
		"Using GnuPG with Mozilla - http://enigmail.mozdev.org/",
		"Seamlessly send and receive encrypted email",
	}
)

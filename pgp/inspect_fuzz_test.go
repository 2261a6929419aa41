package pgp

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzInspect checks what the gate is for: if a mail passes, its own header aside, every word that can be read in it is
// one that mail software writes there by itself, and nothing can be read in the data.
func FuzzInspect(f *testing.F) {
	for _, folder := range []string{"pass", "refuse"} {
		for _, mail := range corpus(f, folder) {
			if len(mail) < 5000 {
				f.Add(mail)
			}
		}
	}
	known := vocabulary()
	f.Fuzz(func(t *testing.T, mail []byte) {
		err := inspectBytes(mail, InspectOptions{})
		if again := inspectPieces(mail, 7); err == nil && again != nil {
			t.Errorf("passes whole, but not in pieces: %v", again)
		}
		if err != nil {
			return
		}
		_, body, _ := bytes.Cut(mail, []byte("\r\n\r\n"))
		outside, data := splitArmor(t, body)
		if len(outside) > 2000 {
			t.Errorf("%d octets stand outside the armor", len(outside))
		}
		for _, line := range strings.Split(outside, "\r\n") {
			if strings.HasPrefix(line, "--") {
				continue // a delimiter; the boundary is in the header
			}
			for _, word := range words(line) {
				if !slices.Contains(known, word) {
					t.Errorf("%q can be read in the line %q", word, line)
				}
			}
		}
		if n := longestRun(data); n > 2*printableRun {
			t.Errorf("%d octets in a row can be read in the data", n)
		}
	})
}

// splitArmor returns what stands around the base64 of the only armor in body, and what that decodes to.
func splitArmor(t *testing.T, body []byte) (outside string, data []byte) {
	t.Helper()
	before, rest, ok := bytes.Cut(body, []byte("-----BEGIN PGP MESSAGE-----"))
	armor, after, ok2 := bytes.Cut(rest, []byte("-----END PGP MESSAGE-----"))
	if !ok || !ok2 {
		t.Fatal("there is no armor in it")
	}
	header, _, _ := bytes.Cut(armor, []byte("\r\n\r\n"))
	whole := string(body[len(before) : len(body)-len(after)])
	data, err := dearmorPieces(whole, len(whole)+1)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{string(before), string(header), string(after)}, "\r\n"), data
}

var wordPattern = regexp.MustCompile(`[a-z]{3,}`)

func words(s string) []string { return wordPattern.FindAllString(strings.ToLower(s), -1) }

// vocabulary returns the words of all that may stand in part headers, preamble and armor header.
func vocabulary() []string {
	list := words("Content-Type Content-Description Content-Disposition Content-Transfer-Encoding MIME-Version " +
		"application/pgp-encrypted application/octet-stream name filename charset us-ascii utf-8 iso-8859-1 windows-1252 " +
		"inline attachment 7bit 8bit quoted-printable Version Comment Charset Hash SHA256")
	for _, table := range [][]string{partDescriptions, partNames, preambles, armorProducts, armorPlatforms, armorComments} {
		for _, s := range table {
			list = append(list, words(s)...)
		}
	}
	return list
}

func longestRun(b []byte) int {
	longest, run := 0, 0
	for _, c := range b {
		if run++; !printable[c] {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

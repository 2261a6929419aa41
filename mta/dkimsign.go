package mta

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/restante/restante/internal/mime"
)

// signedFields are the header fields that a signature covers. Those that are
// marked are covered once more than they are there, so that none can be added
// (RFC 6376, 8.15).
var signedFields = []struct {
	name  string
	guard bool
}{
	{"From", true}, {"To", true}, {"Cc", true}, {"Subject", true}, {"Date", true}, {"Message-ID", true}, {"Reply-To", true},
	{"In-Reply-To", false}, {"References", false}, {"MIME-Version", true}, {"Content-Type", true},
	{"Content-Transfer-Encoding", true}, {"Chat-Version", false}, {"Autocrypt", false}, {"Auto-Submitted", false},
}

// Sign reads a message to its end and returns the DKIM-Signature fields to put
// before it, one of each kind of key, for a domain of ours. They have no time in
// them (no t= and no x=): when somebody wrote is nobody's business, and a letter
// that is tried again is the same letter.
func (k *DKIMKeys) Sign(domain string, message io.Reader) ([]byte, error) {
	in := bufio.NewReader(message)
	header, err := readHeaderBlock(in)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	body := newRelaxedBody()
	if _, err := io.Copy(body, in); err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	names, covered := coveredFields(header)
	var out []byte
	for _, key := range k.signing {
		field := fmt.Sprintf("DKIM-Signature: v=1; a=%s; c=relaxed/relaxed; d=%s; s=%s;\r\n h=%s;\r\n bh=%s;\r\n b=",
			key.algorithm(), domain, key.selector, strings.Join(names, ":\r\n "), base64.StdEncoding.EncodeToString(body.sum()))
		b, err := key.sign(append(slices.Clone(covered), relaxedField("DKIM-Signature", field[len("DKIM-Signature:"):])...))
		if err != nil {
			return nil, fmt.Errorf("sign message: %w", err)
		}
		out = append(out, field+folded(base64.StdEncoding.EncodeToString(b))+"\r\n"...)
	}
	return out, nil
}

// readHeaderBlock returns the header with the empty line after it.
func readHeaderBlock(in *bufio.Reader) ([]byte, error) {
	var header []byte
	for {
		line, err := in.ReadSlice('\n')
		header = append(header, line...)
		if len(header) > maxHeader {
			return nil, errHeaderSize
		}
		if err == io.EOF || bytes.Equal(line, crlf) {
			return header, nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
	}
}

// coveredFields returns the names for h=, and what is signed of the header: of
// several fields of one name, the last comes first (RFC 6376, 5.4.2).
func coveredFields(header []byte) (names []string, covered []byte) {
	there := map[string][][]byte{}
	for f := range mime.Fields(header) {
		name := strings.ToLower(f.Name)
		_, value, _ := strings.Cut(string(f.Raw), ":")
		there[name] = append(there[name], relaxedField(name, value))
	}
	for _, s := range signedFields {
		name := strings.ToLower(s.name)
		for _, field := range slices.Backward(there[name]) {
			names = append(names, name)
			covered = append(append(covered, field...), crlf...)
		}
		if s.guard {
			names = append(names, name)
		}
	}
	return names, covered
}

// relaxedField is the relaxed form of a header field, without a line end (RFC 6376,
// 3.4.2).
func relaxedField(name, value string) []byte {
	words := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
	return []byte(strings.ToLower(name) + ":" + strings.Join(words, " "))
}

// sign signs what is hashed.
func (k dkimKey) sign(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return k.signer.Sign(nil, sum[:], crypto.Hash(0)) // RFC 8463, 3
	}
	return k.signer.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// folded breaks base64 into lines.
func folded(s string) string {
	var lines []string
	for part := range slices.Chunk([]byte(s), 72) {
		lines = append(lines, string(part))
	}
	return strings.Join(lines, "\r\n ")
}

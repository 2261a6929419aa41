package web

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// Directory keeps the OpenPGP certificates that the owners of accounts publish, one
// for each address. A certificate that a method gives belongs to the caller.
type Directory interface {
	// Certificate returns what is published under a hashed local part, in the
	// encoding of a Web Key Directory, at a domain in canonical form. The error
	// is mailbox.ErrNoAccount if there is nothing.
	Certificate(ctx context.Context, hash, domain string) ([]byte, error)

	// Published returns what an account has published for one of its addresses,
	// nil if nothing.
	Published(ctx context.Context, id mailbox.AccountID, a addr.Address) ([]byte, error)

	// Publish replaces what an account has published for one of its addresses,
	// whose hashed local part is hash; nil takes it away. The error is
	// mailbox.ErrNoAccount if the address is not the account's.
	Publish(ctx context.Context, id mailbox.AccountID, a addr.Address, hash string, cert []byte) error
}

// zbase32 is the alphabet of z-base-32 (draft-koch-openpgp-webkey-service-19, 3.1).
const zbase32 = "ybndrfg8ejkmcpqxot1uwisza345h769"

// hashLen is the length of a SHA-1 in z-base-32.
const hashLen = sha1.Size * 8 / 5

// wkdHash returns the hashed local part under which a Web Key Directory is asked for
// an address: SHA-1 of the local part in lower case, for ASCII letters only, in
// z-base-32. The hash hides nothing; it only makes a name of fixed form.
func wkdHash(local string) string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, local)
	sum := sha1.Sum([]byte(lower))
	var b strings.Builder
	for bit := 0; bit < len(sum)*8; bit += 5 {
		// Five bits that begin at bit, out of the two bytes they lie in.
		pair := uint(sum[bit/8]) << 8
		if next := bit/8 + 1; next < len(sum) {
			pair |= uint(sum[next])
		}
		b.WriteByte(zbase32[pair>>(11-bit%8)&31])
	}
	return b.String()
}

// A wkdRequest is what somebody asks a Web Key Directory for.
type wkdRequest struct {
	domain string // "" in the direct method: that of the host
	hash   string // "" asks for the policy
}

// parseWKD reads the path below /.well-known/openpgpkey/, of the direct method
// (hu/HASH, policy) or the advanced one, where the domain stands before it. It
// reports false for any other path.
func parseWKD(path string) (wkdRequest, bool) {
	var q wkdRequest
	parts := strings.Split(path, "/")
	if len(parts) > 1 && parts[0] != "hu" {
		a, err := addr.Parse("postmaster@" + parts[0])
		if err != nil {
			return wkdRequest{}, false
		}
		q.domain, parts = a.Domain(), parts[1:]
	}
	switch {
	case len(parts) == 1 && parts[0] == "policy":
		return q, true
	case len(parts) == 2 && parts[0] == "hu" && isHash(parts[1]):
		q.hash = parts[1]
		return q, true
	}
	return wkdRequest{}, false
}

func isHash(s string) bool { return len(s) == hashLen && strings.Trim(s, zbase32) == "" }

// wkd serves certificates. The answer is binary, as the draft asks, and open to
// scripts of other sites: web mail looks for keys too.
func (s *Server) wkd(w http.ResponseWriter, r *http.Request) {
	q, ok := parseWKD(r.PathValue("rest"))
	if !ok || s.o.Directory == nil || q.domain != "" && q.domain != s.domain {
		s.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "max-age=3600")
	if q.hash == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		return // an empty policy: no mail protocol to publish keys (4.5)
	}
	cert, err := s.o.Directory.Certificate(r.Context(), q.hash, s.domain)
	if errors.Is(err, mailbox.ErrNoAccount) {
		http.Error(w, "There is no certificate.", http.StatusNotFound)
		return
	}
	if err != nil {
		st := s.statusOf(fmt.Errorf("find certificate: %w", err))
		http.Error(w, st.text, st.code)
		return
	}
	h.Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(cert))
}

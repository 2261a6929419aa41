package mta

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// Owners can choose, for an address, that the relay publishes the certificate which
// their mail program sends along in an Autocrypt field (Autocrypt Level 1, 2.1): so
// the key of somebody who has only set up a mail program can be found.

// offered is a certificate that stands in the header of submitted mail.
type offered struct {
	addr addr.Address
	data []byte
}

// offeredCert finds the one Autocrypt field that names the author. If there are
// several, none counts (2.3).
func offeredCert(block []byte, author addr.Address) (found offered, ok bool) {
	n := 0
	for f := range mime.Fields(block) {
		if !f.Is("Autocrypt") {
			continue
		}
		if o := parseOffered(f.Value()); o.addr.Equal(author) && o.data != nil {
			found = o
			n++
		}
	}
	return found, n == 1
}

// parseOffered reads a field, and returns nothing if it has more than keepAutocrypt
// lets pass.
func parseOffered(value string) (o offered) {
	for attribute := range strings.SplitSeq(strings.TrimSuffix(value, ";"), ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		v = strings.TrimSpace(v)
		if !autocryptAttribute(name, v) {
			return offered{}
		}
		switch name {
		case "addr":
			o.addr = addresses(v)[0]
		case "keydata":
			o.data, _ = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), "")) // it was looked at
		}
	}
	return o
}

// publishOffered publishes the certificate in the header of a message that was
// taken, if its author wants that. The message is taken whatever comes of it.
func (s *session) publishOffered(m *mailbox.Spooled) {
	if s.policy.role != submission || len(m.Message.Envelope.From) != 1 {
		return
	}
	author, err := addressOf(m.Message.Envelope.From[0])
	if err != nil {
		return
	}
	block := make([]byte, m.Message.HeaderLen)
	if _, err := io.ReadFull(m.Reader(), block); err != nil || !bytes.Contains(bytes.ToLower(block), []byte("autocrypt")) {
		return
	}
	o, ok := offeredCert(block, author)
	if !ok {
		return
	}
	if err := s.publishFor(author, o.data); err != nil {
		s.log.Warn("the certificate of submitted mail is not published", "error", err)
	}
}

// publishFor publishes a certificate for an address whose owner wants it, unless it
// is published already.
func (s *session) publishFor(a addr.Address, data []byte) error {
	r, err := s.server.service.Recipient(s.ctx, a, 0)
	if err != nil || !r.Options.Publish || r.Account != s.login.Account() {
		return nil // what stands in the way of a delivery is no matter here
	}
	cert, err := pgp.ParseCert(data)
	if err != nil || cert.Usable(s.server.now()) != nil {
		return err
	}
	only, err := cert.Only(a)
	if err != nil {
		return err
	}
	have, err := s.server.service.Published(s.ctx, r.Account, a)
	if err != nil || bytes.Equal(have, only.Bytes()) {
		return err
	}
	err = s.server.service.Publish(s.ctx, r.Account, a, mailbox.Certificate{Fingerprint: string(only.Fingerprint()), Bytes: only.Bytes()})
	if errors.Is(err, mailbox.ErrExists) {
		return errSharedCert
	}
	return err
}

var errSharedCert = errors.New("mta: another address publishes the same certificate")

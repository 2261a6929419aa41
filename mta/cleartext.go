package mta

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// # Mail from outside that is not encrypted
//
// Owners can choose, for one of their addresses, to take such mail if the relay
// allows it (Options.OwnersClear), and the operator can for postmaster. It comes in
// a transaction with no other recipient, since a reply to DATA is one for all. What
// the gate would have refused is encrypted at once to the certificate that the
// address publishes: PGP/MIME, with the whole header inside (RFC 9788) and outside
// what other mail has there. So the mailbox holds no cleartext, even while it is
// open. Without a certificate the mail is sealed as it is. The field X-Restante
// says either way that it came in clear; from outside no such field gets in.

// clearMark is the field that marks mail which came in clear.
const clearMark = "X-Restante: this message was not encrypted when it arrived\r\n"

// clearFor reports whether mail to a recipient need not be encrypted.
func (s *session) clearFor(r mailbox.Recipient, operator bool) bool {
	return operator || s.policy.role == exchange && s.policy.ownersClear && r.Options.Cleartext
}

// An eitherJudge asks a gate about a message, and has its structure whatever the
// gate says.
type eitherJudge struct {
	gate    mailbox.Judge
	walker  *mime.Walker
	refused *error // by the gate
}

// eitherGate returns a gate that lets everything pass, and notes in refused why the
// other one would not have.
func eitherGate(gate mailbox.Gate, refused *error) mailbox.Gate {
	if gate == nil {
		return nil
	}
	return func(o mailbox.GateOptions) mailbox.Judge {
		return eitherJudge{gate(o), mime.NewWalker(o.Walk), refused}
	}
}

func (j eitherJudge) Write(p []byte) (int, error) {
	if *j.refused == nil {
		_, *j.refused = j.gate.Write(p)
	}
	return j.walker.Write(p)
}

func (j eitherJudge) Close() (*mime.Message, error) {
	if *j.refused == nil {
		_, *j.refused = j.gate.Close()
	}
	return j.walker.Close()
}

// keepClear returns what is kept of a message that the gate refused. One that says
// it is encrypted is refused nevertheless: its sender meant it to be.
func (s *session) keepClear(m *mailbox.Spooled, refused error) (*mailbox.Spooled, error) {
	if m.Message.Root.Is("multipart/encrypted") {
		return nil, errors.Join(fmt.Errorf("%w: %w", mailbox.ErrRefused, refused), m.Close())
	}
	encrypted, err := s.encryptArrived(m)
	if err == nil && encrypted == nil {
		return m, nil
	}
	return encrypted, errors.Join(err, m.Close())
}

// encryptArrived returns a message that came in clear as one that only the owner of
// the recipient's certificate can read, and nil if there is no certificate to
// encrypt to. It stands for the same message to those who deliver it again.
func (s *session) encryptArrived(m *mailbox.Spooled) (*mailbox.Spooled, error) {
	to := s.tx.to[0]
	b, err := s.server.service.Published(s.ctx, to.Account, to.Address)
	if err != nil || b == nil {
		return nil, err
	}
	cert, err := pgp.ParseCert(b)
	if err != nil || cert.Usable(s.server.now()) != nil {
		return nil, nil // it was good when it was published
	}
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		writer.CloseWithError(writeEncrypted(writer, m.Reader(), m.Message.HeaderLen, cert))
	}()
	out, err := s.server.service.Receive(s.ctx, reader, mailbox.ReceiveOptions{})
	reader.CloseWithError(errBrokenOff)
	<-done
	if err != nil {
		return nil, err
	}
	if err := out.StandFor(m); err != nil {
		out.Close()
		return nil, err
	}
	return out, nil
}

// writeEncrypted writes a message encrypted to a certificate: PGP/MIME (RFC 3156)
// with its header protected (RFC 9788).
func writeEncrypted(w io.Writer, message io.Reader, headerLen int64, cert *pgp.Cert) error {
	block := make([]byte, headerLen)
	if _, err := io.ReadFull(message, block); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	outer := outerHeader(block)
	boundary := strings.ToLower(rand.Text())
	_, err := fmt.Fprintf(w, "%sMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"%[2]s\"\r\n\r\n"+
		"--%[2]s\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"+
		"--%[2]s\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n", outer, boundary)
	if err != nil {
		return err
	}
	inside, err := pgp.EncryptTo(w, []*pgp.Cert{cert}, pgp.EncryptOptions{})
	if err != nil {
		return err
	}
	if _, err := io.Copy(inside, io.MultiReader(bytes.NewReader(innerHeader(block, outer)), message)); err != nil {
		return err
	}
	if err := inside.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\r\n--%s--\r\n", boundary)
	return err
}

// outerHeader returns what stands outside: the fields of the strict table but those
// of MIME, and the mark.
func outerHeader(block []byte) []byte {
	out := []byte(clearMark)
	for f := range mime.Fields(block) {
		if rule := strictRules[strings.ToLower(f.Name)]; rule != nil && !isMIME(f) {
			out = rule(out, f)
		}
	}
	return out
}

// innerHeader returns what stands inside: the whole header with the mark that it is
// protected, and a copy of what stands outside.
func innerHeader(block, outer []byte) []byte {
	var out []byte
	typed := false
	for f := range mime.Fields(block) {
		switch {
		case f.Is("MIME-Version"):
		case f.Is("Content-Type"):
			typed = true
			out = append(append(out, bytes.TrimRight(f.Raw, "\r\n; \t")...), protection+"\r\n"...)
		default:
			out = append(out, f.Raw...)
		}
	}
	if !typed {
		out = append(out, "Content-Type: text/plain; charset=us-ascii"+protection+"\r\n"...)
	}
	for f := range mime.Fields(outer) {
		out = append(append(out, "HP-Outer: "...), f.Raw...)
	}
	return append(out, crlf...)
}

// protection says that the header inside is the one to show, in the words of RFC
// 9788, 2.1 and in those that Thunderbird knows.
const protection = ";\r\n protected-headers=\"v1\"; hp=\"cipher\""

func isMIME(f mime.Field) bool {
	return f.Is("MIME-Version") || strings.HasPrefix(strings.ToLower(f.Name), "content-")
}

package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// publish puts a certificate into the Web Key Directory, for one address of the
// account and with nothing in it of any other.
func publish(s *Server, r *http.Request, v *visit) (report, error) {
	cert, err := formCert(r)
	if err != nil {
		return report{}, err
	}
	a, err := addr.Parse(r.PostFormValue("address"))
	if err != nil {
		return report{}, errForm
	}
	if err := cert.Usable(s.o.Now()); err != nil {
		return report{}, errCert
	}
	if !cert.HasAddress(a) {
		return report{}, errCertAddress
	}
	only, err := cert.Only(a)
	if err != nil {
		return report{}, errCert
	}
	c := mailbox.Certificate{Fingerprint: string(only.Fingerprint()), Bytes: only.Bytes()}
	err = s.o.Service.Publish(r.Context(), v.session.Account(), a, c)
	if err != nil {
		return report{}, publishError(err)
	}
	return report{Done: "Your certificate is published. Others can now write to you encrypted without asking for it."}, nil
}

// formCert reads a certificate from a file or a text field.
func formCert(r *http.Request) (*pgp.Cert, error) {
	text := []byte(strings.TrimSpace(r.PostFormValue("text")))
	file, _, err := r.FormFile("file")
	if err == nil {
		defer file.Close()
		content, err := io.ReadAll(file)
		if err != nil {
			return nil, errForm
		}
		if len(content) > 0 {
			text = content
		}
	}
	if bytes.Contains(text, []byte("PRIVATE KEY BLOCK")) {
		return nil, errPrivateKey
	}
	cert, err := pgp.ParseCert(text)
	if err != nil {
		return nil, errCert
	}
	return cert, nil
}

// fingerprintOf returns the fingerprint of what is published, "" if nothing is.
func fingerprintOf(id mailbox.AccountID, cert []byte) (string, error) {
	if cert == nil {
		return "", nil
	}
	c, err := pgp.ParseCert(cert)
	if err != nil {
		return "", fmt.Errorf("%w: published certificate of account %s: %w", mailbox.ErrCorrupt, id, err)
	}
	return string(c.Fingerprint()), nil
}

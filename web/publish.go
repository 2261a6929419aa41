package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// publish puts the owner's certificate into the directory, for each address of the
// account that it has.
func publish(s *Server, r *http.Request, v *visit) (report, error) {
	cert, err := formCert(r)
	if err != nil {
		return report{}, err
	}
	if s.o.Directory == nil {
		return report{}, errNotFound
	}
	if err := cert.Usable(s.o.Now()); err != nil {
		return report{}, errCert
	}
	n, err := s.publishFor(r.Context(), v.session, cert)
	if err != nil {
		return report{}, err
	}
	if n == 0 {
		return report{}, errCertAddress
	}
	return report{Done: "Your certificate is published. Others can now write to you encrypted without asking for it."}, nil
}

// publishFor publishes a certificate for those of the account's addresses that it
// has, each without the others, and returns how many these are.
func (s *Server) publishFor(ctx context.Context, x *mailbox.Session, cert *pgp.Cert) (n int, err error) {
	list, err := x.Addresses(ctx)
	if err != nil {
		return 0, err
	}
	for _, a := range list {
		if !cert.HasAddress(a) {
			continue
		}
		only, err := cert.Only(a)
		if err != nil {
			return 0, errCert
		}
		if err := s.o.Directory.Publish(ctx, x.Account(), a, wkdHash(a.Local()), only.Bytes()); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
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

func unpublish(s *Server, r *http.Request, v *visit) (report, error) {
	if err := s.unpublishAll(r.Context(), v.session); err != nil {
		return report{}, err
	}
	return report{Done: "Your certificate is not published any more. Copies that others have fetched stay with them."}, nil
}

func (s *Server) unpublishAll(ctx context.Context, x *mailbox.Session) error {
	if s.o.Directory == nil {
		return nil
	}
	list, err := x.Addresses(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := s.o.Directory.Publish(ctx, x.Account(), a, wkdHash(a.Local()), nil); err != nil {
			return err
		}
	}
	return nil
}

// published lists the account's addresses with what is published for them.
func (s *Server) published(ctx context.Context, x *mailbox.Session) ([]addressLine, error) {
	list, err := x.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	var lines []addressLine
	for _, a := range list {
		line := addressLine{Address: a.String()}
		if s.o.Directory != nil {
			if line.Fingerprint, err = s.publishedFor(ctx, x.Account(), a); err != nil {
				return nil, err
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// publishedFor returns the fingerprint of the certificate that is published for an
// address, "" if there is none.
func (s *Server) publishedFor(ctx context.Context, id mailbox.AccountID, a addr.Address) (string, error) {
	b, err := s.o.Directory.Published(ctx, id, a)
	if err != nil || b == nil {
		return "", err
	}
	cert, err := pgp.ParseCert(b)
	if err != nil {
		return "", fmt.Errorf("%w: published certificate of account %s: %w", mailbox.ErrCorrupt, id, err)
	}
	return string(cert.Fingerprint()), nil
}

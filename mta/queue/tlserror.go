package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// Why no TLS came about.
var (
	errNoTLS       = errors.New("queue: the server offers no TLS")
	errInjected    = errors.New("queue: the server sent plain text after STARTTLS")
	errHandshake   = errors.New("queue: the TLS handshake failed")
	errCertificate = errors.New("queue: the server's certificate is not trusted")
	errCertExpired = errors.New("queue: the server's certificate has expired or is not yet valid")
	errCertName    = errors.New("queue: the server's certificate is for another name")
	errCertPin     = errors.New("queue: the server's certificate fits no TLSA record")
)

// tlsError puts an error of a handshake into our words: those of crypto/x509
// quote certificates.
func tlsError(err error) error {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, errCertPin):
		return errCertPin
	case errors.As(err, &name):
		return errCertName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errCertExpired
	case errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &verification):
		return errCertificate
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errSlow
	}
	return errHandshake
}

package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// The actions of the account page on the addresses of an account.

// addAlias gives the account one more address: of the name in the form, or of a
// generated one.
func addAlias(s *Server, r *http.Request, v *visit) (report, error) {
	a, err := s.o.Signup.newAlias(r.Context(), v.session, r.PostFormValue("name"))
	if err != nil {
		return report{}, err
	}
	return report{Done: "You have one more address: " + a.String() + ". Nobody can tell that it is yours."}, nil
}

// retireAlias takes an address from the account for good.
func retireAlias(s *Server, r *http.Request, v *visit) (report, error) {
	a, err := addr.Parse(r.PostFormValue("address"))
	if err != nil {
		return report{}, errForm
	}
	if err := s.prove(r, v); err != nil {
		return report{}, err
	}
	if err := v.session.RetireAlias(r.Context(), a); err != nil {
		if errors.Is(err, mailbox.ErrLimit) {
			err = errLastAddress
		}
		return report{}, err
	}
	list, err := v.session.Addresses(r.Context())
	if err != nil {
		return report{}, err
	}
	v.address = list[0] // there is always one
	return report{Done: "The address is given up. Mail to it is refused from now on, and nobody gets it again."}, nil
}

// setAddress takes the owner's choices for one address.
func setAddress(s *Server, r *http.Request, v *visit) (report, error) {
	a, err := addr.Parse(r.PostFormValue("address"))
	if err != nil {
		return report{}, errForm
	}
	o := mailbox.AddressOptions{
		Publish:   r.PostFormValue("publish") != "",
		Cleartext: s.o.Cleartext && r.PostFormValue("cleartext") != "",
	}
	if err := v.session.SetAddressOptions(r.Context(), a, o); err != nil {
		return report{}, err
	}
	return report{Done: "The choices for this address are kept."}, nil
}

// publishError tells a certificate that stands under another address from an address
// that was given up meanwhile.
func publishError(err error) error {
	switch {
	case errors.Is(err, mailbox.ErrExists):
		return errCertTaken
	case errors.Is(err, mailbox.ErrNoAccount):
		return mailbox.ErrGone
	}
	return err
}

// An addressLine is one address as its owner sees it.
type addressLine struct {
	Address     string
	Fingerprint string // of the published certificate; "" if there is none
	Publish     bool
	Cleartext   bool
}

// addressLines lists the account's addresses, the oldest first.
func (s *Server) addressLines(ctx context.Context, x *mailbox.Session) ([]addressLine, error) {
	list, err := x.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	var lines []addressLine
	for _, a := range list {
		fingerprint, err := fingerprintOf(x.Account(), a.Certificate)
		if err != nil {
			return nil, err
		}
		lines = append(lines, addressLine{a.Address.String(), fingerprint, a.Options.Publish, a.Options.Cleartext})
	}
	return lines, nil
}

package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/restante/restante/mailbox"
)

// The actions of the account page. What can't be undone asks for the password again:
// somebody may have left the page open.

func logout(*Server, *http.Request, *visit) (report, error) {
	return report{end: true, Done: "You are logged out", Use: "Close this tab if others use this machine."}, nil
}

func addDevice(_ *Server, r *http.Request, v *visit) (report, error) {
	add := v.session.AddDevice
	if r.PostFormValue("keeps") != "" {
		add = v.session.AddKeepingDevice
	}
	secret, err := add(r.Context(), r.PostFormValue("label"))
	if err != nil {
		return report{}, err
	}
	return report{Done: "There is a new device password.", Secret: secret,
		Use: "Type it into the mail program of that device. It is shown only now."}, nil
}

func revokeDevice(_ *Server, r *http.Request, v *visit) (report, error) {
	id, err := strconv.ParseInt(r.PostFormValue("device"), 10, 64)
	if err != nil {
		return report{}, errForm
	}
	if err := v.session.RevokeDevice(r.Context(), mailbox.CredentialID(id)); err != nil {
		return report{}, err
	}
	return report{Done: "The device password is revoked. Whoever used it is logged out."}, nil
}

// changePassword sets a new password, for which the old one or the recovery code is
// asked, and makes new keys with it if its owner wishes. It carries the visit over to
// the new one: the session ends with the old.
func changePassword(s *Server, r *http.Request, v *visit) (report, error) {
	password, err := newPassword(r)
	if err != nil {
		return report{}, err
	}
	set, done := s.o.Service.SetPassword, "The password is changed."
	if r.PostFormValue("keys") != "" {
		set, done = s.o.Service.SetPasswordAndKeys, "The password is changed, and the account has new keys."
	}
	secret, err := set(r.Context(), v.session.Account(), r.PostFormValue("password"), password)
	if err != nil {
		return report{}, err
	}
	if err := s.reenter(r, v, secret); err != nil {
		return report{}, err
	}
	if password != "" {
		return report{Done: done}, nil
	}
	return report{Done: done, Secret: secret, Use: "This is the account's new password. It is shown only now."}, nil
}

// newKeys makes new keys, and carries the visit over: the session ends with the old.
func newKeys(s *Server, r *http.Request, v *visit) (report, error) {
	if err := s.prove(r, v); err != nil {
		return report{}, err
	}
	if err := v.session.Rotate(r.Context()); err != nil {
		return report{}, err
	}
	if err := s.reenter(r, v, r.PostFormValue("password")); err != nil {
		return report{}, err
	}
	return report{Done: "The account has new keys."}, nil
}

// reenter gives a visit a session with the present password and keys.
func (s *Server) reenter(r *http.Request, v *visit, secret string) error {
	x, _, err := s.enter(r, v.address.String(), secret)
	if err != nil {
		return err
	}
	v.session.Close()
	v.session = x
	return nil
}

func newCode(s *Server, r *http.Request, v *visit) (report, error) {
	if err := s.prove(r, v); err != nil {
		return report{}, err
	}
	code, err := v.session.NewRecoveryCode(r.Context())
	if err != nil {
		return report{}, err
	}
	return report{Done: "There is a new recovery code. The old one is of no use any more.", Secret: code,
		Use: "Write it down and keep it away from your devices. It is shown only now."}, nil
}

func deleteAccount(s *Server, r *http.Request, v *visit) (report, error) {
	if r.PostFormValue("sure") == "" {
		return report{}, errNotSure
	}
	if err := s.prove(r, v); err != nil {
		return report{}, err
	}
	if err := s.o.Service.RemoveAccount(r.Context(), v.session.Account()); err != nil {
		return report{}, err
	}
	return report{end: true, Done: "The account is deleted",
		Use: "Its mail and keys are gone from the relay. Backups of the relay may keep them a while longer, sealed."}, nil
}

// prove asks for the password once more. The error is mailbox.ErrAuth if it is not
// that of the visit's account.
func (s *Server) prove(r *http.Request, v *visit) error {
	x, _, err := s.enter(r, v.address.String(), r.PostFormValue("password"))
	if errors.Is(err, errNotOwner) {
		return mailbox.ErrAuth
	}
	if err != nil {
		return err
	}
	defer x.Close()
	if x.Account() != v.session.Account() {
		return mailbox.ErrAuth
	}
	return nil
}

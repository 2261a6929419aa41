package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// loginForm shows the way in to the account page.
func (s *Server) loginForm(w http.ResponseWriter, _ *http.Request) {
	s.renderLogin(w, http.StatusOK, "", "")
}

func (s *Server) renderLogin(w http.ResponseWriter, code int, address, alert string) {
	s.render(w, code, "login", page{Title: "Your account", Alert: alert, Body: address})
}

// refuseLogin shows the form once more.
func (s *Server) refuseLogin(w http.ResponseWriter, address string, err error) {
	st := s.statusOf(err)
	setRetry(w, st)
	s.renderLogin(w, st.code, address, st.text)
}

// login lets the owner of an account in.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		s.fail(w, err)
		return
	}
	user := r.PostFormValue("address")
	x, a, err := s.enter(r, user, r.PostFormValue("password"))
	if err != nil {
		s.refuseLogin(w, user, err)
		return
	}
	v, token, err := s.visits.begin(x, a)
	if err != nil {
		x.Close()
		s.refuseLogin(w, user, err)
		return
	}
	s.showAccount(w, r, v, token, http.StatusOK, report{})
}

// enter logs in with the account's own secret. Errors are those of
// mailbox.Service.Login, and errNotOwner for a device password.
func (s *Server) enter(r *http.Request, user, secret string) (*mailbox.Session, addr.Address, error) {
	x, err := s.o.Service.Login(r.Context(), mailbox.Login{User: user, Secret: secret, Peer: peer(r), Known: true})
	if err != nil {
		return nil, addr.Address{}, err
	}
	if !x.Manages() {
		x.Close()
		return nil, addr.Address{}, errNotOwner
	}
	list, err := x.Addresses(r.Context())
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: account %s has no address", mailbox.ErrCorrupt, x.Account())
	}
	if err != nil {
		x.Close()
		return nil, addr.Address{}, err
	}
	return x, list[0], nil
}

// A report is what an action has to say.
type report struct {
	Done   string // what was done
	Secret string // what is shown once
	Use    string // what the secret is for
	end    bool   // the visit is over
}

// An action is what a form of the account page does. It has the visit for itself.
type action func(s *Server, r *http.Request, v *visit) (report, error)

// inVisit does an action if the form is of the visit's present step, and shows the
// account page as it is then.
func (s *Server) inVisit(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := parseForm(r); err != nil {
			s.fail(w, err)
			return
		}
		p, err := parsePass(r.PostFormValue("visit"))
		if err != nil {
			s.refuseLogin(w, "", err)
			return
		}
		v, err := s.visits.enter(p.token)
		if err != nil {
			s.refuseLogin(w, "", err)
			return
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		s.visits.leave(v, s.act(w, r, v, p, do))
	}
}

// act does the action and answers. It reports whether the visit is over.
func (s *Server) act(w http.ResponseWriter, r *http.Request, v *visit, p pass, do action) (end bool) {
	done, err := report{}, errOutdated
	if p.step == v.step {
		v.step++
		done, err = do(s, r, v)
	}
	switch {
	case errors.Is(err, mailbox.ErrClosed):
		s.refuseLogin(w, "", errVisit) // the password was changed elsewhere, or the account is gone
		return true
	case err != nil:
		st := s.statusOf(err)
		s.showAccount(w, r, v, p.token, st.code, report{Done: st.text})
		return false
	case done.end:
		s.render(w, http.StatusOK, "message", page{Title: done.Done, Body: done.Use})
		return true
	}
	s.showAccount(w, r, v, p.token, http.StatusOK, done)
	return false
}

// An accountPage is the account as its owner sees it.
type accountPage struct {
	Report    report
	Failed    bool
	Visit     string
	Address   string
	Addresses []addressLine
	MaxAlias  int
	Cleartext bool // may be chosen
	Devices   []deviceLine
	MaxDevice int
	Blocked   []senderLine
	Terms     []termLine
	MaxDays   int
	Used      string
	Minutes   int // until the visit ends
}

type deviceLine struct {
	ID, Label, Created string
	Keeps              bool // what it deletes stays for others
}

func (s *Server) showAccount(w http.ResponseWriter, r *http.Request, v *visit, token string, code int, done report) {
	p := accountPage{
		Report: done, Failed: code >= http.StatusBadRequest, Visit: pass{token, v.step}.String(),
		Address: v.address.String(), MaxDevice: mailbox.MaxDevices, MaxAlias: mailbox.MaxAddresses, MaxDays: mailbox.MaxDays,
		Cleartext: s.o.Cleartext, Minutes: int(s.o.Limits.Visit.Minutes()),
	}
	err := s.describe(r.Context(), v, &p)
	if errors.Is(err, mailbox.ErrClosed) {
		err = errVisit
	}
	if err != nil {
		s.refuseLogin(w, "", err)
		return
	}
	s.render(w, code, "account", page{Title: "Your account", Body: p})
}

// describe fills in what the store knows of the account.
func (s *Server) describe(ctx context.Context, v *visit, p *accountPage) error {
	devices, err := v.session.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range devices {
		p.Devices = append(p.Devices, deviceLine{strconv.FormatInt(int64(d.ID), 10), d.Label, dayText(d.Created), d.Keeps})
	}
	quota, used, err := v.session.Usage(ctx)
	if err != nil {
		return err
	}
	p.Used = usage(quota, used)
	if p.Blocked, p.Terms, err = keeping(ctx, v.session); err != nil {
		return err
	}
	p.Addresses, err = s.addressLines(ctx, v.session)
	return err
}

func dayText(d mailbox.Day) string {
	return time.Unix(int64(d)*86400, 0).UTC().Format("2 January 2006")
}

// usage says how full the account is.
func usage(quota, used mailbox.Quota) string {
	text := fmt.Sprintf("%d messages, %s", used.Messages, megabytes(used.Bytes))
	if quota.Bytes > 0 {
		text += fmt.Sprintf(" of %s", megabytes(quota.Bytes))
	}
	return text
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// recoverForm shows the way in for who has lost the password.
func (s *Server) recoverForm(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, "recover", page{Title: "Recover an account", Body: recoverPage{}})
}

// A recoverPage is the form with the recovery code, or the new password.
type recoverPage struct {
	Address string
	Secret  string // what is shown once
	Done    bool
}

// recover sets a new password with the recovery code.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		s.fail(w, err)
		return
	}
	p := recoverPage{Address: r.PostFormValue("address")}
	password, err := newPassword(r)
	if err == nil {
		l := mailbox.Login{User: p.Address, Secret: r.PostFormValue("code"), Peer: peer(r)}
		p.Secret, err = s.o.Service.Recover(r.Context(), l, password)
	}
	if err != nil {
		st := s.statusOf(err)
		setRetry(w, st)
		s.render(w, st.code, "recover", page{Title: "Recover an account", Alert: st.text, Body: recoverPage{Address: p.Address}})
		return
	}
	p.Done = true
	if password != "" {
		p.Secret = "" // he knows it
	}
	s.render(w, http.StatusOK, "recover", page{Title: "A new password is set", Body: p})
}

// newPassword reads the two fields for a new password. "" asks for a generated one.
func newPassword(r *http.Request) (string, error) {
	password := r.PostFormValue("new")
	if password != r.PostFormValue("again") {
		return "", errTwoTypings
	}
	if password == "" {
		return "", nil
	}
	return password, checkPassword(password)
}

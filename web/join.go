package web

import (
	"context"
	"errors"
	"html/template"
	"net/http"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/qrsvg"
	"github.com/restante/restante/mailbox"
)

// A joinPage is the form by which somebody gets an address.
type joinPage struct {
	Name    string // as it was typed
	Token   string
	Publish bool   // as it was chosen
	Offer   offer  // empty where only tokens are taken
	Wait    string // in words
}

// joinForm shows the form, with a new ticket in it.
func (s *Server) joinForm(w http.ResponseWriter, r *http.Request) {
	switch s.o.Signup.o.Policy {
	case Closed:
		s.fail(w, errClosed)
	case Token:
		s.renderJoin(w, http.StatusOK, joinPage{}, "")
	default:
		s.renderJoin(w, http.StatusOK, joinPage{Offer: s.o.Signup.offer(peer(r))}, "")
	}
}

func (s *Server) renderJoin(w http.ResponseWriter, code int, j joinPage, alert string) {
	j.Wait = seconds(j.Offer.Wait)
	s.render(w, code, "join", page{Title: "Get an address", Alert: alert, Body: j})
}

// join makes an account for whoever has waited, worked or has a token, and shows
// what belongs to it, once.
func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		s.fail(w, err)
		return
	}
	var m made
	a := application{peer: peer(r), token: r.PostFormValue("token"), proof: formProof(r)}
	name := r.PostFormValue("name")
	o := mailbox.AddressOptions{Publish: r.PostFormValue("publish") != ""}
	err := s.o.Signup.admit(r.Context(), a, func() (err error) {
		m, err = s.makeAccount(r.Context(), name, o)
		return err
	})
	if err != nil {
		s.joinAgain(w, r, err)
		return
	}
	s.showMade(w, m)
}

// formProof puts together what the form has of a proof.
func formProof(r *http.Request) string {
	if work := r.PostFormValue("work"); work != "" {
		return r.PostFormValue("ticket") + ":" + work
	}
	return r.PostFormValue("ticket")
}

// joinAgain shows the form once more, with what was typed, and with the same ticket
// if that is still good.
func (s *Server) joinAgain(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errClosed) {
		s.fail(w, err)
		return
	}
	j := joinPage{Name: r.PostFormValue("name"), Token: r.PostFormValue("token"), Publish: r.PostFormValue("publish") != ""}
	if s.o.Signup.o.Policy == Open {
		j.Offer = s.o.Signup.offerAgain(peer(r), formProof(r), err)
	}
	st := s.statusOf(err)
	setRetry(w, st)
	s.renderJoin(w, st.code, j, st.text)
}

// offerAgain returns the ticket of a proof that did not lead to an account, or a new
// one if it is of no use any more.
func (g *Signup) offerAgain(network mailbox.Peer, text string, err error) offer {
	var early *earlyError
	if errors.As(err, &early) {
		return offer{Ticket: early.ticket, Wait: early.left, Never: early.never, Bits: early.bits}
	}
	p, parseErr := parseProof(text)
	if parseErr != nil {
		return g.offer(network)
	}
	t, openErr := g.tickets.open(p.ticket)
	if openErr != nil || errors.Is(err, errTicketUsed) || errors.Is(err, errTicketOld) {
		return g.offer(network)
	}
	// It was good, and something else was wrong.
	return offer{Ticket: p.ticket, Wait: max(0, t.ready.Sub(g.o.Now())), Bits: t.bits}
}

// made is a new account with all that its owner must be shown.
type made struct {
	mailbox.Created
	Device string // password of the first device
}

// makeAccount makes an account of that name, or of a generated one if it is "".
// Errors are errName, errReserved and those of mailbox; then there is no account.
func (s *Server) makeAccount(ctx context.Context, name string, o mailbox.AddressOptions) (made, error) {
	// Half an account is worse than one that nobody knows of.
	ctx = context.WithoutCancel(ctx)
	c, err := s.createAccount(ctx, name, o)
	if err != nil {
		return made{}, err
	}
	device, err := s.firstDevice(ctx, c)
	if err != nil {
		return made{}, errors.Join(err, s.o.Service.RemoveAccount(ctx, c.Account))
	}
	return made{c, device}, nil
}

// nameTries is how often a generated name may be taken already. There are 2^44.
const nameTries = 4

func (s *Server) createAccount(ctx context.Context, name string, o mailbox.AddressOptions) (mailbox.Created, error) {
	if name != "" {
		if err := checkName(name, minName); err != nil {
			return mailbox.Created{}, err
		}
		return s.createAs(ctx, name, o)
	}
	for try := 1; ; try++ {
		c, err := s.createAs(ctx, addr.NewLocal(nil), o)
		if !errors.Is(err, mailbox.ErrExists) || try == nameTries {
			return c, err
		}
	}
}

func (s *Server) createAs(ctx context.Context, local string, o mailbox.AddressOptions) (mailbox.Created, error) {
	a, err := addr.Parse(local + "@" + s.domain)
	if err != nil {
		return mailbox.Created{}, errName // with this domain it is too long
	}
	return s.o.Service.CreateAccount(ctx, a, mailbox.NewAccountOptions{Options: o})
}

// firstDevice makes the device password that a new account begins with.
func (s *Server) firstDevice(ctx context.Context, c mailbox.Created) (string, error) {
	x, err := s.o.Service.Login(ctx, mailbox.Login{User: c.Address.String(), Secret: c.Secret})
	if err != nil {
		return "", err
	}
	defer x.Close()
	return x.AddDevice(ctx, "first device")
}

// A madePage is what the owner of a new account is shown, once.
type madePage struct {
	Address  string
	Device   string
	Secret   string
	Recovery string
	Manage   string // where the account page is
	QR       template.HTML
	Link     template.URL
	Setup    setup
}

func (s *Server) showMade(w http.ResponseWriter, m made) {
	link := s.loginLink(m.Address, m.Device)
	code, err := qrsvg.Draw(link, "QR code that takes this address over into Delta Chat")
	if err != nil {
		s.fail(w, err)
		return
	}
	address := m.Address.String()
	s.render(w, http.StatusCreated, "made", page{Title: "Your address", Body: madePage{
		Address: address, Device: m.Device, Secret: m.Secret, Recovery: m.Recovery, Manage: s.o.URL + "/account",
		QR: code, Link: template.URL(link), // made of our own settings and escaped values
		Setup: s.setup(address),
	}})
}

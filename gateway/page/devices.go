package page

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/restante/restante/internal/qrsvg"
)

// The actions for the user's other machines and phones, and for problems.

func (p *Page) mend(w http.ResponseWriter, r *http.Request) {
	text, err := p.o.Desk.Mend(r.Context(), r.FormValue("action"))
	p.tell(w, r, text, err)
}

func (p *Page) pair(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("end") != "" {
		p.o.Desk.EndPairing()
		p.show(w, r, view{})
		return
	}
	p.tell(w, r, "", p.o.Desk.StartPairing(r.Context()))
}

func (p *Page) device(w http.ResponseWriter, r *http.Request) {
	offer, err := p.o.Desk.AddDevice(r.Context(), strings.TrimSpace(r.FormValue("name")))
	if err != nil {
		p.tell(w, r, "", err)
		return
	}
	v := view{Offer: &offer}
	if v.OfferQR, err = qrsvg.Draw(offer.Link, "QR code that sets up the phone"); err == nil {
		v.AppQR, err = qrsvg.Draw(offer.Thunderbird, "QR code for Thunderbird for Android")
	}
	if err != nil {
		v.Fault = err.Error()
	}
	p.show(w, r, v)
}

func (p *Page) revoke(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	p.tell(w, r, name+" is logged out, and its password is of no use any more.", p.o.Desk.RevokeDevice(r.Context(), name))
}

// tell shows the page with what an action said, or why it failed.
func (p *Page) tell(w http.ResponseWriter, r *http.Request, said string, err error) {
	if err != nil {
		p.show(w, r, view{Fault: err.Error()})
		return
	}
	p.show(w, r, view{Said: said})
}

// key shows the key of a contact, or the user's own, as a code that OpenPGP programs scan.
func (p *Page) key(w http.ResponseWriter, r *http.Request) {
	of := r.FormValue("of")
	s, err := p.o.Desk.State(r.Context())
	if err != nil {
		p.tell(w, r, "", err)
		return
	}
	known := append([]Contact{{Address: s.Address, Fingerprint: s.Fingerprint, Words: s.Words}}, s.Contacts...)
	i := slices.IndexFunc(known, func(c Contact) bool { return c.Address == of && c.Fingerprint != "" })
	if i < 0 {
		p.tell(w, r, "", errors.New("no key of that address is known"))
		return
	}
	code, err := qrsvg.Draw("OPENPGP4FPR:"+strings.ReplaceAll(known[i].Fingerprint, " ", ""), "QR code of the key of "+of)
	if err != nil {
		p.tell(w, r, "", err)
		return
	}
	p.show(w, r, view{Shown: &known[i], ShownQR: code})
}

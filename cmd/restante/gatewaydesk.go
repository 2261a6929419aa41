package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/page"
	"github.com/restante/restante/gateway/phone"
	"github.com/restante/restante/pgp"
)

// desk lets the page do what the commands do. It is safe for concurrent use.
type desk struct {
	g   *openedGateway
	run context.Context // of the gateway: a pairing outlives the request that began it

	mu      sync.Mutex
	pairing *page.Pairing // what the page is told of the last one; nil before the first
	end     context.CancelFunc
	ended   chan struct{} // closed when the last one has cleaned up
}

var _ page.Desk = (*desk)(nil)

// newDesk returns a desk whose work ends with ctx.
func newDesk(ctx context.Context, g *openedGateway) *desk {
	d := &desk{g: g, run: ctx, end: func() {}, ended: make(chan struct{})}
	close(d.ended)
	return d
}

// ask does the operation of a command, in this process.
func (d *desk) ask(ctx context.Context, name string, request, reply any) error {
	in, err := json.Marshal(request)
	if err != nil {
		return err
	}
	out, err := d.g.do(ctx, name, in)
	if err != nil || reply == nil {
		return err
	}
	return json.Unmarshal(out, reply)
}

func (d *desk) State(ctx context.Context) (s page.State, err error) {
	var v gatewayView
	if err := d.ask(ctx, "status", struct{}{}, &v); err != nil {
		return s, err
	}
	now := time.Now()
	s = page.State{
		Address: v.Address, Fingerprint: fingerprintText(v.Key), Words: gateway.Words(pgp.Fingerprint(v.Key)), Phones: v.Phones,
		Rows: [][2]string{
			{"Mail client", runningText(v)}, {"Mail", syncText(v, now)}, {"Contacts", contactsText(v.Contacts)},
			{"Outbox", outboxText(v.Outbox)}, {"Backup", backupText(v, now)},
		},
	}
	s.Client = clientSettings(d.g, d.g.listen)
	for _, p := range troublesOf(v) {
		s.Problems = append(s.Problems, page.Problem{Text: p.text, Action: p.action, Button: mending[p.action]})
	}
	for _, g := range d.g.Groups() {
		s.Groups = append(s.Groups, g.Name)
	}
	d.mu.Lock()
	if d.pairing != nil {
		now := *d.pairing
		s.Pairing = &now
	}
	d.mu.Unlock()
	if s.Devices, err = d.devices(ctx); err != nil {
		return s, err
	}
	s.Contacts, err = d.contacts(ctx)
	return s, err
}

func (d *desk) contacts(ctx context.Context) (list []page.Contact, err error) {
	var contacts []contactView
	if err := d.ask(ctx, "contacts", "", &contacts); err != nil {
		return nil, err
	}
	for _, c := range contacts {
		list = append(list, page.Contact{
			Address: c.Address, Standing: c.Standing, Fingerprint: fingerprintText(c.Key), Words: gateway.Words(pgp.Fingerprint(c.Key)),
			NewFingerprint: fingerprintText(c.Proposed), LastMail: dayOrNever(c.LastSeen), Trouble: c.Trouble,
		})
	}
	return list, nil
}

func (d *desk) devices(ctx context.Context) (list []page.Device, err error) {
	rows, err := d.g.Devices(ctx)
	for _, r := range rows {
		list = append(list, page.Device{Name: r.Name, Added: r.Added.Format(time.DateOnly)})
	}
	return list, err
}

func (d *desk) Invite(ctx context.Context, group string) (link string, err error) {
	err = d.ask(ctx, "invite", group, &link)
	return link, err
}

func (d *desk) Follow(ctx context.Context, link string) (string, error) {
	if !gateway.IsInvitation(link) {
		return "", errors.New("that is no invitation, which begins with https://i.delta.chat/ or OPENPGP4FPR")
	}
	var v joinView
	err := d.ask(ctx, "join", link, &v)
	return v.text(), err
}

func (d *desk) Decide(ctx context.Context, address, said string, refuse bool) error {
	return d.ask(ctx, "accept", acceptRequest{Address: address, Fingerprint: said, Refuse: refuse}, nil)
}

// The actions of Mend, and what their buttons say.
const (
	mendRetry  = "retry"
	mendBackup = "backup"
)

var mending = map[string]string{mendRetry: "Try again now", mendBackup: "Write it now"}

func (d *desk) Mend(ctx context.Context, action string) (string, error) {
	switch action {
	case mendRetry:
		d.g.Retry()
		return "It is tried again now: load this page again to see what came of it.", nil
	case mendBackup:
		return "The backup in the account is up to date.", d.ask(ctx, "backup", struct{}{}, nil)
	}
	return "", errors.New("this version of the gateway can't do that")
}

func (d *desk) AddDevice(ctx context.Context, name string) (page.Offer, error) {
	v, err := d.g.addDevice(ctx, name)
	if err != nil {
		return page.Offer{}, err
	}
	o := page.Offer{Device: v.Settings.Device, Link: v.Link, Certificate: v.Certificate}
	o.Thunderbird, err = phone.ThunderbirdCode(v.Settings)
	return o, err
}

func (d *desk) RevokeDevice(ctx context.Context, name string) error {
	return d.ask(ctx, "device-revoke", name, nil)
}

// StartPairing waits for the other machine on a goroutine that ends with the gateway.
func (d *desk) StartPairing(ctx context.Context) error {
	code := gateway.NewPairCode()
	var link string
	if err := d.ask(ctx, "pair-link", code, &link); err != nil {
		return err
	}
	wait, end := context.WithCancel(d.run)
	p := &page.Pairing{Code: code, Link: link}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
	before, ended := d.ended, make(chan struct{})
	d.pairing, d.end, d.ended = p, end, ended
	d.g.tasks.Go(func() {
		defer close(ended)
		defer end()
		<-before // what it wrote into the account is gone then
		said := "The other machine has everything."
		if err := d.g.Pair(wait, code); err != nil {
			said = "The other machine got nothing: " + err.Error() + "."
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		*p = page.Pairing{Ended: said}
	})
	return nil
}

// EndPairing makes the code useless.
func (d *desk) EndPairing() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
	d.pairing = nil
}

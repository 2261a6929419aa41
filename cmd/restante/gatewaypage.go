package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/page"
	"github.com/restante/restante/pgp"
)

func gatewayPage(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "page",
		Short: "Print the address of the gateway's page, to open in a browser on this machine",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var url string
			if err := h.do(cmd.Context(), "page", struct{}{}, &url); err != nil {
				return err
			}
			_, err := fmt.Fprintln(e.stdout, url)
			return err
		},
	}
}

func opPage(_ context.Context, g *openedGateway, _ json.RawMessage) (any, error) {
	if g.page == "" {
		return nil, errors.New("the page is there while the gateway runs: start it with `restante gateway run`")
	}
	return g.page, nil
}

// desk lets the page do what the commands do.
type desk struct{ g *openedGateway }

var _ page.Desk = desk{}

// ask does the operation of a command, in this process.
func (d desk) ask(ctx context.Context, name string, request, reply any) error {
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

func (d desk) State(ctx context.Context) (s page.State, err error) {
	var v gatewayView
	if err := d.ask(ctx, "status", struct{}{}, &v); err != nil {
		return s, err
	}
	now := time.Now()
	s = page.State{
		Address: v.Address, Fingerprint: fingerprintText(v.Key), Words: gateway.Words(pgp.Fingerprint(v.Key)), Problems: problemsOf(v),
		Rows: [][2]string{
			{"Mail client", runningText(v)}, {"Mail", syncText(v, now)}, {"Contacts", contactsText(v.Contacts)},
			{"Outbox", outboxText(v.Outbox)}, {"Backup", backupText(v, now)},
		},
	}
	for _, g := range d.g.Groups() {
		s.Groups = append(s.Groups, g.Name)
	}
	var contacts []contactView
	if err := d.ask(ctx, "contacts", "", &contacts); err != nil {
		return s, err
	}
	for _, c := range contacts {
		s.Contacts = append(s.Contacts, page.Contact{
			Address: c.Address, Standing: c.Standing, Fingerprint: fingerprintText(c.Key), Words: gateway.Words(pgp.Fingerprint(c.Key)),
			NewFingerprint: fingerprintText(c.Proposed), LastMail: dayOrNever(c.LastSeen), Trouble: c.Trouble,
		})
	}
	return s, nil
}

func (d desk) Invite(ctx context.Context, group string) (link string, err error) {
	err = d.ask(ctx, "invite", group, &link)
	return link, err
}

func (d desk) Follow(ctx context.Context, link string) (string, error) {
	if !gateway.IsInvitation(link) {
		return "", errors.New("that is no invitation, which begins with https://i.delta.chat/ or OPENPGP4FPR")
	}
	var v joinView
	err := d.ask(ctx, "join", link, &v)
	return v.text(), err
}

func (d desk) Decide(ctx context.Context, address, said string, refuse bool) error {
	return d.ask(ctx, "accept", acceptRequest{Address: address, Fingerprint: said, Refuse: refuse}, nil)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"github.com/restante/restante/gateway"
)

// joinPatience is how long `accept LINK` waits for the other side, who may be asleep.
const joinPatience = 30 * time.Second

func gatewayInvite(e env, h *gatewayHome) *cobra.Command {
	var code bool
	var r meetRequest
	cmd := &cobra.Command{
		Use:   "invite [GROUP]",
		Short: "Make an invitation link: whoever opens it and you have verified each other",
		Long: "Make an invitation link, and print it. Send it to one person by a way that you trust: whoever opens it within a week,\n" +
			"with Delta Chat or `restante gateway accept`, is taken for the one you meant, and you have verified each other. With\n" +
			"the name of a group they are in the group then. The gateway must run to answer.",
		Args: atMost(1, "one group at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Text = strings.Join(args, "")
			var link string
			if err := h.do(cmd.Context(), "invite", r, &link); err != nil {
				return err
			}
			fmt.Fprintln(e.stdout, link)
			if !code {
				return nil
			}
			return printCode(e.stderr, link)
		},
	}
	cmd.Flags().BoolVar(&code, "qr", false, "show a code to scan with Delta Chat too")
	identityFlag(cmd, &r.Identity)
	return cmd
}

// meetRequest asks for an invitation, or to follow one.
type meetRequest struct {
	Text     string // the group to invite to, or the link to follow
	Identity string `json:",omitempty"`
}

func opInvite(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r meetRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	if r.Text != "" && r.Identity != "" {
		return nil, errors.New("in a group you have one identity for all: say --identity when you make it")
	}
	identity, err := g.named(ctx, r.Identity)
	if err != nil {
		return nil, err
	}
	i, err := g.InviteAs(ctx, identity, r.Text)
	if err != nil {
		return nil, err
	}
	return i.Link(), nil
}

// printCode draws a QR code with half blocks, dark on light whatever the terminal's
// colours are, with the margin that scanners want.
func printCode(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the code: %w", err)
	}
	const margin = 4
	var b strings.Builder
	for y := -margin; y < code.Size+margin; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -margin; x < code.Size+margin; x++ {
			b.WriteString(halfBlock(code.Black(x, y), code.Black(x, y+1)))
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func halfBlock(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}

// joinView is a meeting as the command shows it.
type joinView struct {
	Address string
	Name    string
	Group   string
	State   gateway.JoinState
	Running bool
}

// followInvitation follows somebody's link and says how far that has come.
func followInvitation(ctx context.Context, e env, h *gatewayHome, r meetRequest) error {
	var v joinView
	if err := h.do(ctx, "join", r, &v); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, v.text())
	return nil
}

func (v joinView) text() string {
	who := v.Address
	if v.Name != "" {
		who = v.Name + " <" + v.Address + ">"
	}
	switch {
	case v.State == gateway.JoinDone && v.Group != "":
		return "You are in the group " + v.Group + ". You and " + who + " have verified each other."
	case v.State == gateway.JoinDone:
		return "You and " + who + " have verified each other."
	case !v.Running:
		return "The rest happens while the gateway runs: start it with `restante gateway run`."
	case v.State == gateway.JoinIntroduced:
		return "You have verified " + who + " and can write to them. They will have verified you when their device is on."
	}
	return "Asked " + who + " for their key. It will come when their device is on."
}

func opJoin(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r meetRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	if _, err := gateway.ParseInvitation(r.Text); err != nil {
		return nil, err // before an identity is made for it
	}
	identity, err := g.named(ctx, r.Identity)
	if err != nil {
		return nil, err
	}
	x, err := g.AcceptAs(ctx, identity, r.Text)
	if err != nil {
		return nil, err
	}
	if g.running {
		ctx, cancel := context.WithTimeout(ctx, joinPatience)
		defer cancel()
		x = g.AwaitJoin(ctx, x)
	}
	return joinView{x.Address.String(), x.Name, x.GroupName, x.State, g.running}, nil
}

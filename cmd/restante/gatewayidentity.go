package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
)

// newIdentity is what a flag --identity has for one that is made on the spot.
const newIdentity = "new"

// identityRequest asks for a change of the user's identities, or, with no verb, for the list.
type identityRequest struct {
	Verb     string
	Identity string   `json:",omitempty"`
	Contacts []string `json:",omitempty"`
	Forget   bool     `json:",omitempty"`
}

// identityView is an identity as the command shows it.
type identityView struct {
	Address  string
	Key      string // "" if it was given up
	Contacts []string
	Groups   []string
}

// identityReply is the list after a change, with what the user has yet to do.
type identityReply struct {
	List []identityView
	Todo string `json:",omitempty"`
}

func gatewayIdentity(e env, h *gatewayHome) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "identity",
		Short: "Be somebody else to some people: list your identities, make one, give one up",
		Long: "An identity is an address of your account with a key of its own. Who writes to one can't find out that another is\n" +
			"yours. Give one to a conversation with `restante gateway invite --identity new`, `accept LINK --identity new` or `group\n" +
			"new --identity new`: what your mail client writes there goes out by it, and answers come to your usual mailbox.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runIdentity(cmd.Context(), e, h, identityRequest{})
		},
	}
	cmd.AddCommand(identityNew(e, h), identityUse(e, h), identityRevoke(e, h))
	return cmd
}

func identityNew(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "new [ADDRESS]",
		Short: "Make an identity, with an address that your relay makes up",
		Long: "Make an identity, with an address that your relay makes up, or with one that you want. At a provider that makes no\n" +
			"addresses for programs, make ADDRESS in its settings first.",
		Args: atMost(1, "one address at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runIdentity(cmd.Context(), e, h, identityRequest{Verb: "new", Identity: strings.Join(args, "")})
		},
	}
}

func identityUse(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "use IDENTITY CONTACT...",
		Short: "Write to people by an identity from now on; your account's own address is one too",
		Long: "Write to people by an identity from now on; your account's own address is one too. Answers go by the identity that\n" +
			"their mail came to. Somebody who knows you by another address may guess that both are yours.",
		Args: atLeast(2, "an identity and the addresses of people"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runIdentity(cmd.Context(), e, h, identityRequest{Verb: "use", Identity: args[0], Contacts: args[1:]})
		},
	}
}

func identityRevoke(e env, h *gatewayHome) *cobra.Command {
	r := identityRequest{Verb: "revoke"}
	cmd := &cobra.Command{
		Use:   "revoke IDENTITY",
		Short: "Give an identity up for good: mail to it is refused, and nobody gets the address again",
		Long: "Give an identity up for good: mail to it is refused, and nobody gets the address again. Nothing is written by it any\n" +
			"more; people are not told, so leave its groups before. The mail that you have stays.",
		Args: exactly(1, "one identity"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Identity = args[0]
			return runIdentity(cmd.Context(), e, h, r)
		},
	}
	cmd.Flags().BoolVar(&r.Forget, "forget", false, "destroy its key on all your devices: what lies at the relay for it can never be opened again")
	return cmd
}

func runIdentity(ctx context.Context, e env, h *gatewayHome, r identityRequest) error {
	var reply identityReply
	if err := h.do(ctx, "identity", r, &reply); err != nil {
		return err
	}
	if reply.Todo != "" {
		say(e, "%s", reply.Todo)
	}
	if len(reply.List) == 0 {
		say(e, "to everybody you are your account's own address; `restante gateway identity new` makes another identity")
		return nil
	}
	rows := [][]string{{"IDENTITY", "FINGERPRINT", "PEOPLE", "GROUPS"}}
	for _, v := range reply.List {
		key := v.Key
		if key == "" {
			key = "given up"
		}
		rows = append(rows, []string{v.Address, key, strings.Join(v.Contacts, ", "), strings.Join(v.Groups, ", ")})
	}
	printColumns(e.stdout, rows)
	return nil
}

func opIdentity(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r identityRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	var reply identityReply
	err := r.do(ctx, g)
	if errors.Is(err, gateway.ErrNoAliases) && r.Verb == "revoke" {
		reply.Todo = "nothing goes out by it any more; give the address up in your provider's settings, so that no mail comes to it"
		err = nil
	}
	if err != nil {
		return nil, err
	}
	list, err := g.Identities()
	for _, i := range list {
		v := identityView{Address: i.Address.String(), Key: string(i.Fingerprint), Groups: i.Groups}
		for _, a := range i.Contacts {
			v.Contacts = append(v.Contacts, a.String())
		}
		reply.List = append(reply.List, v)
	}
	return reply, err
}

func (r identityRequest) do(ctx context.Context, g *openedGateway) error {
	if r.Verb == "" {
		return nil
	}
	var identity addr.Address
	if r.Identity != "" {
		var err error
		if identity, err = addr.Parse(r.Identity); err != nil {
			return fmt.Errorf("%q is no mail address", r.Identity)
		}
	}
	switch r.Verb {
	case "new":
		_, err := g.NewIdentity(ctx, identity)
		return err
	case "revoke":
		return g.EndIdentity(ctx, identity, r.Forget)
	}
	var people []addr.Address
	for _, text := range r.Contacts {
		a, err := addr.Parse(text)
		if err != nil {
			return fmt.Errorf("%q is no mail address", text)
		}
		people = append(people, a)
	}
	for _, a := range people {
		if err := g.UseIdentity(identity, a); err != nil {
			return err
		}
	}
	return nil
}

// named returns the identity that a flag names, and makes one if it says so. The zero
// Address is the account's own.
func (o *openedGateway) named(ctx context.Context, identity string) (addr.Address, error) {
	switch identity {
	case "":
		return addr.Address{}, nil
	case newIdentity:
		return o.NewIdentity(ctx, addr.Address{})
	}
	a, err := addr.Parse(identity)
	if err != nil {
		return a, fmt.Errorf("--identity takes %q or one of your addresses; %q is none", newIdentity, identity)
	}
	return a, nil
}

// identityFlag adds the flag to a command that begins a conversation.
func identityFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "identity", "", "be another `IDENTITY` there: \"new\", or the address of one you have")
}

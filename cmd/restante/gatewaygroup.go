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

// groupRequest asks for a change of a group, or, with no verb, for the list.
type groupRequest struct {
	Verb   string
	Group  string
	Name   string
	People []string

	Identity string `json:",omitempty"` // the user's in a new group
}

// groupView is a group as the command shows it.
type groupView struct {
	Name    string
	Address string
	Members []string
}

func gatewayGroup(e env, h *gatewayHome) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "List your groups, make one, and say who is in it",
		Long: "List your groups, make one, and say who is in it. Your mail client writes to a group at its address, NAME@group.local,\n" +
			"which no other machine knows; members with Delta Chat see a group of theirs. A GROUP is named by that address or by\n" +
			"what stands before the @.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGroup(cmd.Context(), e, h, groupRequest{}) },
	}
	run := func(use, short string, args cobra.PositionalArgs, read func([]string) groupRequest) {
		cmd.AddCommand(&cobra.Command{
			Use: use, Short: short, Args: args,
			RunE: func(cmd *cobra.Command, args []string) error { return runGroup(cmd.Context(), e, h, read(args)) },
		})
	}
	cmd.AddCommand(groupNew(e, h))
	run("add GROUP ADDRESS...", "Take people into a group, and tell everybody in it", atLeast(2, "a group and the addresses of people"),
		func(a []string) groupRequest { return groupRequest{Verb: "add", Group: a[0], People: a[1:]} })
	run("remove GROUP ADDRESS...", "Take people out of a group, and tell everybody in it", atLeast(2, "a group and the addresses of people"),
		func(a []string) groupRequest { return groupRequest{Verb: "remove", Group: a[0], People: a[1:]} })
	run("rename GROUP NAME", "Give a group another name; its address stays", exactly(2, "a group and its new name"),
		func(a []string) groupRequest { return groupRequest{Verb: "rename", Group: a[0], Name: a[1]} })
	run("leave GROUP", "Leave a group", exactly(1, "a group"),
		func(a []string) groupRequest { return groupRequest{Verb: "leave", Group: a[0]} })
	return cmd
}

func groupNew(e env, h *gatewayHome) *cobra.Command {
	r := groupRequest{Verb: "new"}
	cmd := &cobra.Command{
		Use: "new NAME [ADDRESS...]", Short: "Make a group; its members learn of it by your first mail to it",
		Args: atLeast(1, "a name, and the addresses of members"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name, r.People = args[0], args[1:]
			return runGroup(cmd.Context(), e, h, r)
		},
	}
	identityFlag(cmd, &r.Identity)
	return cmd
}

// atLeast wants so many arguments or more.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return usageError{errors.New("this command takes " + what)}
		}
		return nil
	}
}

func runGroup(ctx context.Context, e env, h *gatewayHome, r groupRequest) error {
	var list []groupView
	if err := h.do(ctx, "group", r, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		say(e, "you are in no group; `restante gateway group new` makes one")
		return nil
	}
	rows := [][]string{{"GROUP", "ADDRESS", "MEMBERS"}}
	for _, v := range list {
		rows = append(rows, []string{v.Name, v.Address, strings.Join(v.Members, ", ")})
	}
	printColumns(e.stdout, rows)
	return nil
}

func opGroup(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r groupRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	var people []addr.Address
	for _, text := range r.People {
		a, err := addr.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no mail address", text)
		}
		people = append(people, a)
	}
	if err := r.do(ctx, g, people); err != nil {
		return nil, err
	}
	var list []groupView
	for _, x := range g.Groups() {
		list = append(list, viewOfGroup(x))
	}
	return list, nil
}

func (r groupRequest) do(ctx context.Context, g *openedGateway, people []addr.Address) error {
	var err error
	switch r.Verb {
	case "new":
		var identity addr.Address
		if identity, err = g.named(ctx, r.Identity); err == nil {
			_, err = g.NewGroupAs(ctx, identity, r.Name, people...)
		}
	case "add":
		for _, a := range people {
			err = errors.Join(err, g.AddMember(ctx, r.Group, a))
		}
	case "remove":
		for _, a := range people {
			err = errors.Join(err, g.RemoveMember(ctx, r.Group, a))
		}
	case "rename":
		err = g.RenameGroup(ctx, r.Group, r.Name)
	case "leave":
		var own addr.Address
		if own, err = addr.Parse(g.Local().User); err == nil {
			err = g.RemoveMember(ctx, r.Group, own)
		}
	}
	return err
}

func viewOfGroup(x gateway.Group) groupView {
	v := groupView{Name: x.Name, Address: x.Address().String()}
	for _, m := range x.Members() {
		v.Members = append(v.Members, m.Address.String())
	}
	return v
}

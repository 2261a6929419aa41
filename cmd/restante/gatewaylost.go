package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
)

// lostRequest says what a device that is lost could do.
type lostRequest struct {
	Password     string   `json:",omitempty"` // set at the provider by the user
	KeepPassword bool     `json:",omitempty"`
	Devices      []string `json:",omitempty"` // whose passwords to revoke; nil is all
	Tell         bool     `json:",omitempty"`
}

// lostReply is what was done. With Foreign nothing was: the password has to be changed
// by the user.
type lostReply struct {
	Foreign bool     `json:",omitempty"`
	Renewed bool     `json:",omitempty"` // the account has a new password
	Limit   string   `json:",omitempty"` // why the relay's device passwords stay
	Revoked []string `json:",omitempty"`
	Told    int      `json:",omitempty"`
	Sheet   sheet
}

func gatewayLost(e env, h *gatewayHome) *cobra.Command {
	var r lostRequest
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "lost-device",
		Short: "A device is lost: take from it what it could still read",
		Long: "A device is lost, or somebody else had it. On our relays this gives your account a new password and revokes those of\n" +
			"your other devices; at another provider you change it in the provider's settings first, and type it here. Then your\n" +
			"key gets a new encryption subkey and revokes the old one, which your contacts learn with your next mail to each, and\n" +
			"you get a new recovery sheet: the old one is void. Your other devices are set up anew with `restante gateway pair`.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return lostDevice(cmd.Context(), e, h, r, fromStdin)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&fromStdin, "password-stdin", false, "read the new password, which you have set at the provider, from standard input")
	f.BoolVar(&r.KeepPassword, "keep-password", false, "the account's password stays: the lost device never had it")
	f.StringArrayVar(&r.Devices, "device", nil, "revoke the password of the device of this `NAME` and of no other; may be repeated")
	f.BoolVar(&r.Tell, "tell", false, "write to your contacts now, so that they use the new subkey at once")
	return cmd
}

func lostDevice(ctx context.Context, e env, h *gatewayHome, r lostRequest, fromStdin bool) (err error) {
	if fromStdin {
		if r.Password, err = (gatewaySetup{passwordStdin: true}).password(e); err != nil {
			return err
		}
	}
	var reply lostReply
	if err := h.do(ctx, "lost-device", r, &reply); err != nil {
		return err
	}
	if reply.Foreign {
		if r.Password, err = foreignPassword(e); err != nil {
			return err
		}
		if err := h.do(ctx, "lost-device", r, &reply); err != nil {
			return err
		}
	}
	printLost(e, reply)
	return nil
}

// foreignPassword explains what only the user can do, and asks for what came of it.
func foreignPassword(e env) (string, error) {
	say(e, "your provider is no Restante relay: only you can change the account's password there. On its web page, under security "+
		"or passwords: set a new password, end all other sessions, and revoke the lost device's app password if it had one. Then "+
		"type the new password here. Nothing has been changed yet.")
	text, err := promptSecret(e, "New password of the account: ")
	switch {
	case errors.Is(err, errNoTerminal):
		err = errors.New("there is no terminal to ask at: give the new password with --password-stdin, or say --keep-password if the lost device never had the old one")
	case err == nil && text == "":
		err = errors.New("no password was given: nothing has been changed")
	}
	return text, err
}

// printLost says what was done, and what is left to do.
func printLost(e env, r lostReply) {
	if r.Renewed {
		say(e, "the account has a new password; the old one opens nothing any more")
	}
	if len(r.Revoked) > 0 {
		say(e, "revoked the passwords of these devices: %s", strings.Join(named(r.Revoked), ", "))
	}
	say(e, "your key has a new encryption subkey; the old one is revoked")
	fmt.Fprintln(e.stderr)
	r.Sheet.print(e.stdout)
	fmt.Fprintln(e.stderr)
	say(e, "the old sheet is void: destroy it")
	if r.Limit != "" {
		say(e, "still to do: %s", r.Limit)
	}
	if r.Told > 0 {
		say(e, "wrote to %d of your contacts, so that they use the new subkey; `restante gateway status` shows what has not left yet", r.Told)
	} else {
		say(e, "your contacts learn of the new subkey with your next mail to each")
	}
	say(e, "your other devices are out too: set those up anew that you still have. With a gateway, move its folder away and pair it "+
		"with `restante gateway pair`; in other programs, type a new password")
}

// named has a word for devices whose owner gave them no name.
func named(devices []string) []string {
	list := slices.Clone(devices)
	for i, d := range list {
		if d == "" {
			list[i] = "one without a name"
		}
	}
	return list
}

func opLostDevice(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r lostRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	return r.do(ctx, g)
}

// do takes the lost device's way in first, and then what it could read with.
func (r lostRequest) do(ctx context.Context, g *openedGateway) (reply lostReply, err error) {
	if reply.Foreign, err = r.prepare(ctx, g); err != nil || reply.Foreign {
		return reply, err
	}
	reply.Revoked, err = g.RevokeDevices(ctx, r.Devices...)
	switch {
	case errors.Is(err, gateway.ErrDevicePassword):
		reply.Limit = err.Error()
	case err != nil && !errors.Is(err, gateway.ErrForeign):
		return reply, err
	}
	reply.Renewed = !r.KeepPassword
	if r.Password == "" && !r.KeepPassword {
		if err := g.RenewPassword(ctx); err != nil {
			return reply, err
		}
	}
	if err := g.LostDevice(ctx); err != nil {
		return reply, err
	}
	if r.Tell {
		if reply.Told, err = g.TellContacts(); err != nil {
			return reply, err
		}
	}
	reply.Sheet, err = sheetOf(g)
	return reply, err
}

// prepare takes the password that the user has set, or sees whether one can be set from
// here. Nothing else is changed yet; foreign says that it takes the user.
func (r lostRequest) prepare(ctx context.Context, g *openedGateway) (foreign bool, err error) {
	if r.Password != "" {
		return false, g.UsePassword(ctx, r.Password)
	}
	if r.KeepPassword {
		return false, nil
	}
	err = g.MayRenewPassword(ctx)
	switch {
	case errors.Is(err, gateway.ErrForeign):
		return true, nil
	case errors.Is(err, gateway.ErrDevicePassword):
		return false, fmt.Errorf("%w; then run this again with --keep-password", err)
	case errors.Is(err, gateway.ErrPassword):
		return false, fmt.Errorf("%w: if you have set another password meanwhile, give it with --password-stdin", err)
	}
	return false, err
}

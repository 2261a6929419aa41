package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/phone"
)

func gatewayDevice(e env, h *gatewayHome) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "device",
		Short: "Let a phone's mail program reach the gateway at home",
		Long: "Let the mail programs of your other devices reach this gateway over a LAN, a VPN or an onion service, with TLS and a\n" +
			"password for each. It is off until `restante gateway device listen`.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(gatewayDeviceListen(e, h), gatewayDeviceAdd(e, h), gatewayDeviceList(e, h), gatewayDeviceRevoke(e, h))
	return cmd
}

// listenRequest says where other devices are let in, or that they are not.
type listenRequest struct{ Phones gateway.Phones }

func gatewayDeviceListen(e env, h *gatewayHome) *cobra.Command {
	var host string
	var public bool
	ports := phonePorts{imap: 1993, smtp: 1465, setup: 1443}
	cmd := &cobra.Command{
		Use:   "listen ADDRESS|off",
		Short: "Say at which of this machine's addresses devices are let in, or that they are not",
		Long: "Let devices in at ADDRESS, an IP address of this machine in your own network or VPN, from the next start of the gateway\n" +
			"on. For an onion service give 127.0.0.1 and --host NAME.onion, and have Tor lead the three ports there. A gateway\n" +
			"authority of its own certifies the name; its key stays in the vault. Under another name, devices must be set up anew.",
		Args: exactly(1, "an address of this machine, or off"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r listenRequest
			if args[0] != "off" {
				ip, err := phoneAddress(args[0], public)
				if err != nil {
					return err
				}
				if host == "" && ip.IsUnspecified() {
					return errors.New("say with --host under which name devices know this machine")
				}
				r.Phones = ports.at(strings.ToLower(orElse(host, ip.String())), ip)
			}
			if err := h.do(cmd.Context(), "device-listen", r, nil); err != nil {
				return err
			}
			say(e, "kept; a gateway that runs must be started anew to go by it")
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&host, "host", "", "the `NAME` by which devices know this machine (default: ADDRESS)")
	f.BoolVar(&public, "public", false, "let them in at an address that the whole internet reaches")
	f.Uint16Var(&ports.imap, "imap-port", ports.imap, "`PORT` to read mail")
	f.Uint16Var(&ports.smtp, "smtp-port", ports.smtp, "`PORT` to send mail")
	f.Uint16Var(&ports.setup, "setup-port", ports.setup, "`PORT` that hands out settings")
	return cmd
}

func opDeviceListen(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r listenRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	if old, err := gateway.LoadPhones(g.vault); err != nil || old == r.Phones {
		return nil, err
	}
	for _, at := range []string{r.Phones.IMAP, r.Phones.SMTP, r.Phones.Setup} {
		if at == "" || g.phones != nil {
			continue // off, or its own listeners may be in the way
		}
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
		if err != nil {
			return nil, fmt.Errorf("%w: choose another address or port", err)
		}
		if err := ln.Close(); err != nil {
			return nil, err
		}
	}
	return nil, gateway.SavePhones(g.vault, r.Phones)
}

// deviceView is what a new device needs.
type deviceView struct {
	Settings    phone.Settings
	Certificate string // its fingerprint
	Link        string // "" while the gateway does not run
}

func gatewayDeviceAdd(e env, h *gatewayHome) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a password for a device, and show how to set it up",
		Long: "Make a password for a device. While the gateway runs you get a link, also as a QR code, which the device opens within\n" +
			"ten minutes: it hands over the settings once, for Apple's devices as a profile. Check the certificate's fingerprint\n" +
			"there; or write the profile to a file with --profile and carry it over by a way that you trust.",
		Args: exactly(1, "a name for the device, such as phone"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v deviceView
			if err := h.do(cmd.Context(), "device-add", args[0], &v); err != nil {
				return err
			}
			if file != "" {
				b, err := phone.Profile(v.Settings)
				if err != nil {
					return err
				}
				if err := writePrivate(file, string(b)); err != nil {
					return err
				}
				v.Link = "" // the file is the one way
			}
			return printDevice(e, v)
		},
	}
	cmd.Flags().StringVar(&file, "profile", "", "write the profile for Apple's devices, with the password in it, to `FILE`, which only you can read")
	return cmd
}

func printDevice(e env, v deviceView) error {
	s := v.Settings
	if v.Link != "" && isTerminal(e.stdout) {
		if err := printCode(e.stdout, v.Link); err != nil {
			return err
		}
	}
	rows := [][2]string{
		{"Device", s.Device}, {"User name", s.Address}, {"Password", s.Password},
		{"IMAP server", fmt.Sprintf("%s, port %d, SSL/TLS", s.Host, s.IMAP)}, {"SMTP server", fmt.Sprintf("%s, port %d, SSL/TLS", s.Host, s.SMTP)},
		{"Certificate", v.Certificate},
	}
	if v.Link != "" {
		rows = append(rows, [2]string{"Link", v.Link})
	}
	printTable(e.stdout, rows)
	say(e, "the password is shown only now. `restante gateway device revoke` takes it back.")
	return nil
}

func opDeviceAdd(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var name string
	if err := json.Unmarshal(request, &name); err != nil {
		return nil, err
	}
	return g.addDevice(ctx, name)
}

// addDevice makes a device's password, and a link while there is somebody to answer it.
func (o *openedGateway) addDevice(ctx context.Context, name string) (v deviceView, err error) {
	if v.Settings, v.Certificate, err = o.phoneSettings(); err != nil {
		return v, err
	}
	account, err := gateway.LoadAccount(o.vault)
	if err != nil {
		return v, err
	}
	s := &v.Settings
	s.Device, s.Address, s.Name = strings.TrimSpace(name), o.Local().User, account.Name
	if s.Password, err = o.AddDevice(ctx, s.Device); err != nil {
		return v, err
	}
	if o.phones != nil {
		v.Link, err = o.phones.offers.Offer(*s)
	}
	return v, err
}

// phoneSettings returns what all devices have in common, and the certificate's fingerprint.
func (o *openedGateway) phoneSettings() (phone.Settings, string, error) {
	if o.phones != nil {
		text, err := certificateText(o.phones.certs)
		return o.phones.settings(), text, err
	}
	p, err := gateway.LoadPhones(o.vault)
	if err == nil && (p.Off() || o.running) {
		err = errors.New("no device is let in: `restante gateway device listen ADDRESS` says where, from the next start of the gateway on")
	}
	if err != nil {
		return phone.Settings{}, "", err
	}
	certs, err := phoneCerts(o.vault, p.Host)
	if err != nil {
		return phone.Settings{}, "", err
	}
	text, err := certificateText(certs)
	return phone.Settings{Host: p.Host, IMAP: portText(p.IMAP), SMTP: portText(p.SMTP), CA: certs.CA()}, text, err
}

func gatewayDeviceList(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the devices that have a password",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []gateway.Device
			if err := h.do(cmd.Context(), "devices", struct{}{}, &list); err != nil {
				return err
			}
			rows := [][]string{{"DEVICE", "ADDED"}}
			for _, d := range list {
				rows = append(rows, []string{d.Name, d.Added.Format(time.DateOnly)})
			}
			printColumns(e.stdout, rows)
			return nil
		},
	}
}

func opDevices(ctx context.Context, g *openedGateway, _ json.RawMessage) (any, error) {
	return g.Devices(ctx)
}

func gatewayDeviceRevoke(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Take back the password of a device, and end its connections",
		Args:  exactly(1, "the name of a device"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := h.do(cmd.Context(), "device-revoke", args[0], nil); err != nil {
				return err
			}
			say(e, "the password is of no use any more. What the device has fetched already stays on it.")
			return nil
		},
	}
}

func opDeviceRevoke(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var name string
	if err := json.Unmarshal(request, &name); err != nil {
		return nil, err
	}
	if g.phones != nil {
		g.phones.offers.Withdraw(name)
	}
	return nil, g.RevokeDevice(ctx, name)
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
)

// gatewayView is a gateway's state as the command shows it.
type gatewayView struct {
	Address  string
	Key      string // fingerprint
	OldKeys  int
	Running  bool
	Synced   time.Time
	Trouble  string
	Contacts map[string]int // by standing
	Held     []string
	Outbox   []outboxView
	Listen   gateway.Listen
	Phones   string // where other devices are let in; "" is nowhere
	Devices  int

	Backup      time.Time
	Sparse      bool
	BackupFault string
}

// outboxView is one mail that has not left.
type outboxView struct {
	Subject string
	Since   time.Time
	To      int
	Trouble string
	Lost    bool
}

func gatewayStatus(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say in plain words how the gateway is doing",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v gatewayView
			if err := h.do(cmd.Context(), "status", struct{}{}, &v); err != nil {
				return err
			}
			var b strings.Builder
			printGateway(&b, v, time.Now())
			fmt.Fprint(e.stdout, wrapLines(wrapRows(b.String(), terminalWidth(e.stdout)), terminalWidth(e.stdout)))
			return nil
		},
	}
}

func opGatewayStatus(ctx context.Context, g *openedGateway, _ json.RawMessage) (any, error) {
	v := gatewayView{Address: g.Local().User, Running: g.running, Contacts: map[string]int{}}
	s, err := g.Status()
	if err != nil {
		return nil, err
	}
	v.Synced = s.Synced
	if s.Trouble != nil {
		v.Trouble = s.Trouble.Error()
	}
	for _, a := range s.Held {
		v.Held = append(v.Held, a.String())
	}
	for _, o := range s.Outbox {
		v.Outbox = append(v.Outbox, viewOfOutgoing(o))
	}
	v.Backup, v.Sparse = s.Backup.At, s.Backup.Sparse
	if s.BackupFault != nil {
		v.BackupFault = s.BackupFault.Error()
	}
	own := g.Identity()
	v.Key, v.OldKeys = string(own.Current.Fingerprint()), len(own.Old)
	err = g.Contacts().Each(func(_ addr.Address, p gateway.Peer) error {
		v.Contacts[standingOf(p).String()]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	devices, err := g.Devices(ctx)
	if err != nil {
		return nil, err
	}
	v.Listen, v.Devices = g.listen, len(devices)
	if g.phones != nil {
		v.Phones = g.phones.text()
	}
	return v, nil
}

// standingOf is what the key in use is to us.
func standingOf(p gateway.Peer) gateway.Standing {
	_, standing, _ := p.Fingerprint() // an error has a standing too
	return standing
}

func viewOfOutgoing(o gateway.Outgoing) outboxView {
	v := outboxView{Subject: o.Subject, Since: o.Accepted, Trouble: o.Trouble}
	for _, p := range o.Parts {
		v.To += len(p.To)
		if p.Lost != "" {
			v.Trouble, v.Lost = p.Lost, true
		}
	}
	return v
}

// printGateway says what is, and then what is to be done.
func printGateway(w io.Writer, v gatewayView, now time.Time) {
	rows := [][2]string{
		{"Account", v.Address},
		{"Key", fingerprintText(v.Key)},
		{"Gateway", runningText(v)},
		{"Mail", syncText(v, now)},
		{"Contacts", contactsText(v.Contacts)},
		{"Outbox", outboxText(v.Outbox)},
		{"Backup", backupText(v, now)},
		{"Devices", devicesText(v)},
	}
	if v.OldKeys > 0 {
		rows[1][1] += fmt.Sprintf(", and %d older for old mail", v.OldKeys)
	}
	printTable(w, rows)
	problems := problemsOf(v)
	if len(problems) == 0 {
		fmt.Fprintln(w, "\nThere are no problems.")
		return
	}
	fmt.Fprintln(w, "\nProblems")
	for _, p := range problems {
		fmt.Fprintln(w, "  - "+p)
	}
}

func runningText(v gatewayView) string {
	if v.Running {
		return "runs, IMAP at " + v.Listen.IMAP + ", SMTP at " + v.Listen.SMTP
	}
	return "does not run: start it with `restante gateway run`"
}

// devicesText says where a phone is let in, and how many have a password.
func devicesText(v gatewayView) string {
	switch {
	case v.Phones != "":
		return fmt.Sprintf("let in at %s; %d have a password", v.Phones, v.Devices)
	case v.Running || v.Devices == 0:
		return "none but this one is let in"
	}
	return fmt.Sprintf("%d have a password", v.Devices)
}

func syncText(v gatewayView, now time.Time) string {
	switch {
	case !v.Running:
		return "not looked at, because the gateway does not run"
	case v.Synced.IsZero():
		return "not fetched yet"
	}
	return "up to date " + agoText(now.Sub(v.Synced))
}

func agoText(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

func contactsText(n map[string]int) string {
	var parts []string
	for _, s := range []gateway.Standing{gateway.Verified, gateway.Pinned, gateway.Heard, gateway.Changed, gateway.Unknown} {
		if c := n[s.String()]; c > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c, s))
		}
	}
	if len(parts) == 0 {
		return "none yet: `restante gateway accept` takes a key or a link"
	}
	return strings.Join(parts, ", ")
}

func outboxText(list []outboxView) string {
	if len(list) == 0 {
		return "empty: all mail has been sent"
	}
	return fmt.Sprintf("%d mails wait to be sent", len(list))
}

func backupText(v gatewayView, now time.Time) string {
	if v.Backup.IsZero() {
		return "not written yet"
	}
	text := "in the account, written " + agoText(now.Sub(v.Backup))
	if v.Sparse { // it has a bound
		text += "; contacts that never wrote to you are left out, there are too many"
	}
	return text
}

// problemsOf lists what keeps mail from coming or going, with what to do.
func problemsOf(v gatewayView) []string {
	var list []string
	for _, t := range troublesOf(v) {
		list = append(list, t.text)
	}
	for _, a := range v.Held {
		list = append(list, "The key of "+a+" has changed, and mail to it is held. Compare fingerprints with `restante gateway contacts "+a+
			"`, then run `restante gateway accept "+a+"`, or with --refuse.")
	}
	return list
}

// trouble is a problem that the gateway can do something about by itself.
type trouble struct {
	text   string
	action string // of desk.Mend
}

func troublesOf(v gatewayView) []trouble {
	var list []trouble
	if v.Trouble != "" {
		list = append(list, trouble{"The provider can't be reached, or refuses: " + v.Trouble + ". It is tried again by itself.", mendRetry})
	}
	if v.BackupFault != "" {
		list = append(list, trouble{"The backup is not up to date: " + v.BackupFault + ".", mendBackup})
	}
	for _, o := range v.Outbox {
		if o.Trouble == "" {
			continue
		}
		what := "is not sent yet"
		if o.Lost {
			what = "was refused for good"
		}
		list = append(list, trouble{fmt.Sprintf("The mail %q %s: %s.", o.Subject, what, o.Trouble), mendRetry})
	}
	return list
}

// fingerprintText writes a fingerprint in groups of four, as people compare it.
func fingerprintText(f string) string {
	var b strings.Builder
	for i, r := range f {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

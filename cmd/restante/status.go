package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/internal/listen"
)

const opStatus adminOp = "status"

func statusCommand(e env) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the relay is doing, in ten lines",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			open := opener(func(ctx context.Context) (accounts, func(), error) { return openAccounts(ctx, configFile, e) })
			reply, err := open.do(cmd.Context(), adminRequest{Op: opStatus})
			if err == nil {
				_, err = fmt.Fprint(e.stdout, wrapRows(reply.Text, terminalWidth(e.stdout)))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	return cmd
}

// status says how the relay is doing. What only a relay that runs can know is said
// of r, which is nil if none does.
func (d direct) status(ctx context.Context, r *relay) (adminReply, error) {
	census, err := d.service.Census(ctx)
	if err != nil {
		return adminReply{}, err
	}
	waiting, err := d.service.Outbox().Waiting(ctx)
	if err != nil {
		return adminReply{}, err
	}
	rows := [][2]string{
		{"relay", d.domain + ", " + runsSince(r) + summing(r)},
		{"program", programVersion() + confinement(r)},
		{"accounts", fmt.Sprintf("%d, with %s of %s", census.Accounts, counted(census.Messages, "message"), sizeString(census.Bytes))},
		{"queue", counted(waiting.Jobs, "message") + " waiting to go to " + counted(waiting.Destinations, "domain")},
	}
	if r != nil {
		rows = append(rows, r.statusRows(time.Now())...)
	}
	var text strings.Builder
	printTable(&text, rows)
	return adminReply{Text: text.String()}, nil
}

func runsSince(r *relay) string {
	if r == nil {
		return "which does not run"
	}
	return "running since " + r.started.UTC().Format("2 January 2006, 15:04 UTC")
}

// summing says whether somebody has to look at a relay that runs, and where.
func summing(r *relay) string {
	if r == nil {
		return ""
	}
	if where := r.troubles(time.Now()); len(where) > 0 {
		return "; NEEDS YOU: see " + strings.Join(where, ", ")
	}
	return "; all is well"
}

// troubles names the rows that tell of something to mend.
func (r *relay) troubles(now time.Time) (where []string) {
	if r.queue != nil {
		if h := r.queue.Health(); h.NoDNS || h.Blocked || r.cfg.Queue.RelayHost != "" && h.Silent > 0 {
			where = append(where, "outgoing")
		}
	}
	if doctor.Disk(r.cfg.DataDir).State == doctor.Wrong {
		where = append(where, "store")
	}
	if r.certificateEnds(now) {
		where = append(where, "certificate")
	}
	if len(r.outdated) > 0 {
		where = append(where, "WARNING")
	}
	return where
}

// certificateEnds reports whether a certificate is missing, was refused, or should have
// been renewed.
func (r *relay) certificateEnds(now time.Time) bool {
	if r.acme == nil {
		return r.tls.Until().Sub(now) <= certWarning
	}
	return slices.ContainsFunc(r.acme.States(), func(s listen.CertState) bool {
		return s.Fault != nil || s.NotAfter.Sub(now) <= certWarning
	})
}

// confinement says whether a relay that runs can open its own folders only.
func confinement(r *relay) string {
	switch {
	case r == nil:
		return ""
	case r.confined:
		return ", confined to its folders"
	}
	return ", not confined to its folders"
}

func (r *relay) statusRows(now time.Time) [][2]string {
	kind, _, _ := r.cfg.StoreTarget() // the configuration was checked
	rows := [][2]string{
		{"outgoing", r.outgoing(now)},
		{"signing", r.signing()},
		{"store", string(kind) + ", " + doctor.Disk(r.cfg.DataDir).Text + ", new accounts: " + r.cfg.Signup.Policy},
		{"connections", r.connections()},
		{"certificate", r.certificate()},
		{"inbound", "authentication by " + r.cfg.Policy.InboundAuth + ", MTA-STS " + stsMode(r.cfg)},
	}
	for _, f := range r.outdated {
		rows = append(rows, [2]string{"WARNING", f.Error()})
	}
	return rows
}

// outgoing says whether other servers can be reached.
func (r *relay) outgoing(now time.Time) string {
	if r.queue == nil {
		return "off (queue.enabled)"
	}
	switch h := r.queue.Health(); {
	case h.NoDNS:
		return "DNS does not answer: check dns.servers in the configuration, or /etc/resolv.conf"
	case r.cfg.Queue.RelayHost != "" && h.Silent > 0:
		return "queue.relay_host does not answer"
	case h.Blocked && h.Few:
		return fmt.Sprintf("port %d seems to be blocked: DNS answers, but no mail server does (domains tried: %d); unless they are down, ask your provider, or set queue.relay_host", r.cfg.Queue.Port, h.Silent)
	case h.Blocked:
		return fmt.Sprintf("port %d seems to be blocked: none of %d domains answers; ask your provider, or set queue.relay_host", r.cfg.Queue.Port, h.Silent)
	case h.Reached.IsZero() && h.Silent > 0:
		return fmt.Sprintf("%d domains do not answer, and no other was tried", h.Silent)
	case h.Reached.IsZero():
		return "nothing was sent yet"
	default:
		return fmt.Sprintf("works: another server answered %s ago, %d domains do not answer", now.Sub(h.Reached).Round(time.Second), h.Silent)
	}
}

func (r *relay) signing() string {
	if r.dkim == nil {
		return "off"
	}
	return "DKIM keys " + strings.Join(r.dkim.keys.Load().Selectors(), " and ")
}

// connections lists the open connections of each port.
func (r *relay) connections() string {
	var parts []string
	for _, p := range r.allPorts() {
		if ln := r.ports[p.name]; ln != nil {
			parts = append(parts, fmt.Sprintf("%s %d", p.name, ln.Stats().Open))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *relay) certificate() string {
	text := certLife(r.tls.Until(), time.Now())
	if r.acme != nil {
		return acmeStatus(r.acme.States(), time.Now())
	}
	if r.tls.CA() != nil {
		text += ", by the relay's own authority"
	}
	return text
}

func stsMode(cfg *config.Config) string {
	if p := stsPolicy(cfg); p != nil {
		return p.Mode
	}
	return "none"
}

// running does the operations on a relay that runs.
type running struct {
	direct
	relay *relay
}

func (x running) do(ctx context.Context, r adminRequest) (adminReply, error) {
	switch r.Op {
	case opStatus:
		return x.status(ctx, x.relay)
	case opMeasures:
		all, err := x.relay.measures(ctx)
		return adminReply{Measures: all}, err
	}
	return x.direct.do(ctx, r)
}

var _ accounts = running{}

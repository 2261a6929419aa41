package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/mta/queue"
)

// doctorTimeout bounds the whole examination.
const doctorTimeout = 5 * time.Minute

// doctorFlags is what the operator says on the command line.
type doctorFlags struct {
	configFile string
	ips        []string
	mail       bool
	peer       string
	keyCopied  bool
}

func doctorCommand(e env) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is wrong with the relay and its surroundings",
		Long: "Look at the relay's DNS records, ports, certificate, clock, disk and files, and say for everything that is wrong\n" +
			"what to do. Nothing is changed. The exit code is 1 if something is wrong.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
			defer cancel()
			return runDoctor(ctx, e, &f)
		},
	}
	cmd.Flags().StringVar(&f.configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.Flags().StringArrayVar(&f.ips, "ip", nil, "a public `ADDRESS` of this machine, if it can't know it (behind NAT); may be repeated")
	cmd.Flags().BoolVar(&f.mail, "mail", false, "also make an account, send it an encrypted mail as a client does, fetch it, and remove the account")
	cmd.Flags().StringVar(&f.peer, "peer", "", "also have the relay of this `ADDRESS` try the ports of this one, and send an encrypted mail there")
	cmd.Flags().BoolVar(&f.keyCopied, "key-copied", false, "remember that you have a copy of the relay key elsewhere")
	return cmd
}

func runDoctor(ctx context.Context, e env, f *doctorFlags) error {
	cfg, err := config.Load(f.configFile)
	if err != nil {
		return err
	}
	ips, err := parseAddresses(f.ips)
	if err != nil {
		return err
	}
	if _, err := addr.Parse(f.peer); f.peer != "" && err != nil {
		return usageError{fmt.Errorf("--peer: %w", err)}
	}
	if f.keyCopied {
		if err := rememberKeyCopy(cfg, e.getenv); err != nil {
			return err
		}
	}
	x := &examined{out: e.stdout}
	x.print("machine", append(machineFindings(f.configFile, cfg, e.getenv), bucketFindings(ctx, &cfg.S3)...))
	r := &doctor.Resolver{Servers: cfg.DNS.Servers}
	if len(r.Servers) == 0 {
		r.Servers = queue.SystemServers()
	}
	x.print("DNS", dnsFindings(ctx, r, cfg, ips))
	x.print("ports", portFindings(ctx, r, cfg))
	if f.peer != "" {
		x.print("ports, from outside", outsideFindings(ctx, r, cfg, f.peer))
	}
	if f.mail || f.peer != "" {
		x.print("mail", mailFindings(ctx, e, f, cfg))
	}
	return x.verdict(f)
}

// examined prints findings as they come, and counts what is wrong.
type examined struct {
	out   io.Writer
	wrong int
}

func (x *examined) print(title string, all []doctor.Finding) {
	fmt.Fprintln(x.out, title)
	for _, f := range all {
		printFinding(x.out, f)
		if f.State == doctor.Wrong {
			x.wrong++
		}
	}
	fmt.Fprintln(x.out)
}

// printFinding prints what was found, and below it what to do. What is to be copied has
// a line of its own, and is never broken.
func printFinding(w io.Writer, f doctor.Finding) {
	width := terminalWidth(w)
	fmt.Fprintf(w, "  %-5s  %-17s %s\n", f.State, f.Check, wrapText(f.Text, 27, width))
	if f.State != doctor.Wrong {
		return
	}
	todo, exact, _ := strings.Cut(f.Fix, "\n")
	fmt.Fprintf(w, "         → %s\n", wrapText(todo, 11, width))
	for line := range strings.Lines(exact) {
		fmt.Fprintf(w, "    %s\n", strings.TrimSuffix(line, "\n"))
	}
}

func (x *examined) verdict(f *doctorFlags) error {
	if x.wrong > 0 {
		if x.wrong == 1 {
			return errors.New("one thing is wrong: do what stands after the arrow, and run this again")
		}
		return fmt.Errorf("%d things are wrong: do what stands after the arrows, and run this again", x.wrong)
	}
	fmt.Fprintln(x.out, "Nothing is wrong.")
	if !f.mail {
		fmt.Fprintln(x.out, "Next: restante doctor --mail sends a mail through the relay, as a client does.")
	}
	return nil
}

// machineFindings looks at what is on this machine.
func machineFindings(configFile string, cfg *config.Config, getenv func(string) string) []doctor.Finding {
	all := append([]doctor.Finding{doctor.Written(configFile)}, outdatedFindings(config.Outdated(configFile))...)
	all = append(all, doctor.Clock(), doctor.Disk(cfg.DataDir))
	secrets := []string{cfg.Queue.DKIMDir, cfg.TLS.KeyFile}
	keyFile, err := cfg.RelayKeyPath(getenv)
	if err == nil {
		secrets = append(secrets, keyFile)
	}
	if cfg.S3.CredentialsFile != "" {
		secrets = append(secrets, cfg.S3.CredentialsFile)
	}
	all = append(all, doctor.Files(cfg.DataDir, secrets...)...)
	return append(all, keyCopyFinding(cfg, getenv), confineFinding(cfg))
}

// outdatedFindings tells of settings that the next release refuses.
func outdatedFindings(old []config.Fault, err error) (all []doctor.Finding) {
	const check = "configuration"
	if err != nil {
		return []doctor.Finding{{Check: check, State: doctor.Unsure, Text: err.Error()}}
	}
	for _, f := range old {
		all = append(all, doctor.Finding{Check: check, State: doctor.Wrong, Text: f.Error(), Fix: "change it before the next upgrade"})
	}
	return all
}

// confineFinding says whether a relay that runs can open its own folders only. A
// system that can't see to that is no fault.
func confineFinding(cfg *config.Config) doctor.Finding {
	f := doctor.Finding{Check: "confinement", Text: "the kernel keeps the relay to its own folders (Landlock)"}
	switch {
	case !cfg.Confine.Enabled:
		f.State, f.Text = doctor.Unsure, "off (confine.enabled): the relay can open what its user can"
	case !canConfine():
		f.State, f.Text = doctor.Unsure, "this system has no Landlock of Linux 5.19: the relay can open what its user can"
	}
	return f
}

// dnsFindings compares the DNS with the records of `restante dns`.
func dnsFindings(ctx context.Context, r *doctor.Resolver, cfg *config.Config, ips []netip.Addr) []doctor.Finding {
	z, err := newZone(cfg, ips)
	if err != nil {
		return []doctor.Finding{{Check: "DNS", State: doctor.Unsure, Text: err.Error()}}
	}
	if len(ips) == 0 {
		ips = doctor.MachineAddresses()
	}
	all := doctor.DNS(ctx, r, doctor.Zone{Domain: cfg.Domain, Host: cfg.Hostname, Records: z.String(), Machine: ips})
	return append(all, r.Validation(ctx, cfg.DNS.DNSSEC))
}

// portFindings connects to the ports as clients do, with the certificates that they
// trust.
func portFindings(ctx context.Context, r *doctor.Resolver, cfg *config.Config) []doctor.Finding {
	return doctor.Ports(ctx, r, cfg.Hostname, publicPorts(cfg), nil, time.Now())
}

// outsideFindings has the relay of another domain try the same ports.
func outsideFindings(ctx context.Context, r *doctor.Resolver, cfg *config.Config, peer string) []doctor.Finding {
	if cfg.Queue.ProxyAll {
		return []doctor.Finding{{Check: "from outside", State: doctor.Unsure, Text: "not tried: queue.proxy_all lets nobody outside see this machine"}}
	}
	to, err := addr.Parse(peer)
	if err != nil {
		return []doctor.Finding{mailFault("from outside", fmt.Errorf("--peer: %w", err))}
	}
	roots, err := otherRoots(cfg.Queue.CAFile)
	if err != nil {
		return []doctor.Finding{mailFault("from outside", err)}
	}
	return doctor.Outside(ctx, r, doctor.Peer{Domain: to.Domain(), HTTPS: cfg.Queue.HTTPSPort, TLS: roots}, cfg.Hostname, publicPorts(cfg))
}

// publicPorts are the ports that clients and other relays use.
func publicPorts(cfg *config.Config) []doctor.Port {
	l := &cfg.Listen
	var ports []doctor.Port
	for _, p := range []struct {
		name, address string
		tls           bool
	}{
		{"mx", l.MX.Address, false}, {"smtps", l.SMTPS.Address, true}, {"submission", l.Submission.Address, false},
		{"imaps", l.IMAPS.Address, true}, {"imap", l.IMAP.Address, false}, {"https", l.HTTPS.Address, true},
	} {
		_, number, err := net.SplitHostPort(p.address)
		if err != nil {
			continue // off
		}
		if n, err := strconv.Atoi(number); err == nil {
			ports = append(ports, doctor.Port{Name: p.name, Port: n, TLS: p.tls})
		}
	}
	return ports
}

// keyCopyFile remembers that the operator has a copy of the key.
const keyCopyFile = "relay.key.copied"

// keyCopyMark is what the file holds: it fits one key, and does not tell it.
func keyCopyMark(cfg *config.Config, getenv func(string) string) (string, error) {
	file, err := cfg.RelayKeyPath(getenv)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	s, err := parseRelaySecret(b)
	if err != nil {
		return "", err
	}
	return s.mark(), nil
}

func rememberKeyCopy(cfg *config.Config, getenv func(string) string) error {
	mark, err := keyCopyMark(cfg, getenv)
	if err != nil {
		return fmt.Errorf("relay key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(cfg.DataDir, keyCopyFile), []byte(mark), 0o600); err != nil {
		return fmt.Errorf("relay key: %w", err)
	}
	return nil
}

func keyCopyFinding(cfg *config.Config, getenv func(string) string) doctor.Finding {
	f := doctor.Finding{Check: "relay key"}
	mark, err := keyCopyMark(cfg, getenv)
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.State, f.Text = doctor.Unsure, "there is none yet: it is made at the first start"
		return f
	case err != nil:
		f.State, f.Text = doctor.Unsure, "can't be read: "+err.Error()
		return f
	}
	known, err := os.ReadFile(filepath.Join(cfg.DataDir, keyCopyFile))
	if err == nil && string(known) == mark {
		f.Text = "you have a copy of it elsewhere"
		return f
	}
	f.State, f.Text = doctor.Wrong, "nobody has said that there is a copy of it elsewhere; without it the store is lost"
	f.Fix = "copy it to another machine or print it, and then say so:\nrestante doctor --key-copied"
	return f
}

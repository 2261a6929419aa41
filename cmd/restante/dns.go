package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
)

func dnsCommand(e env) *cobra.Command {
	var configFile string
	var addresses []string
	cmd := &cobra.Command{
		Use:   "dns",
		Short: "Print the DNS records of the relay, ready for a zone",
		Long: "Print every record that the relay's domain needs, in the form of a zone file: where mail goes (MX), who may send it\n" +
			"(SPF, DKIM, DMARC), how it is kept from prying eyes on the way (MTA-STS, TLS-RPT), and where mail programs find\n" +
			"servers and keys (SRV, autoconfig, WKD). DKIM keys are made if there are none yet.",
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(configFile)
			if err != nil {
				return err
			}
			if isOnion(cfg.Domain) {
				return fmt.Errorf("%s is an onion service, about which nothing stands in DNS: others ask it itself", cfg.Domain)
			}
			ips, err := parseAddresses(addresses)
			if err != nil {
				return err
			}
			z, err := newZone(cfg, ips)
			if err == nil {
				_, err = fmt.Fprint(e.stdout, z)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.Flags().StringArrayVar(&addresses, "ip", nil, "an `ADDRESS` of this machine, for A and AAAA records; may be repeated")
	return cmd
}

func parseAddresses(texts []string) ([]netip.Addr, error) {
	var ips []netip.Addr
	for _, text := range texts {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--ip: %q is no IP address", text)}
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

func dkimCommand(e env) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use:   "dkim",
		Short: "Show and change the keys that outgoing mail is signed with",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	list := &cobra.Command{
		Use:   "list",
		Short: "Print the record of each key, old ones too",
		Args:  exactly(0, "no arguments"),
		RunE:  func(*cobra.Command, []string) error { return printDKIM(e, configFile, openSigner) },
	}
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Make new keys",
		Long: "Make new keys and print the records of all. The relay that runs goes on with the old keys until SIGHUP, so that the\n" +
			"new records can be published before. Old keys stay published until their files are removed: leave them for a week.",
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if err := printDKIM(e, configFile, rotateSigner); err != nil {
				return err
			}
			fmt.Fprintln(e.stderr, "restante: publish the new records, then send the relay SIGHUP; after a week, remove the old keys' files and records")
			return nil
		},
	}
	cmd.AddCommand(list, rotate)
	return cmd
}

// printDKIM prints the records of the keys that open returns.
func printDKIM(e env, configFile string, open func(dir string, now time.Time) (*signer, error)) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	s, err := open(cfg.Queue.DKIMDir, time.Now())
	if err != nil {
		return err
	}
	z := &zone{domain: cfg.Domain}
	if err := z.addDKIM(s); err != nil {
		return err
	}
	_, err = fmt.Fprint(e.stdout, z)
	return err
}

// A zone collects the records of the relay's domain.
type zone struct {
	domain string
	text   strings.Builder
}

// String returns the records as a zone file (RFC 1035, 5).
func (z *zone) String() string { return "$ORIGIN " + z.domain + ".\n$TTL 3600\n" + z.text.String() }

// about begins a group of records.
func (z *zone) about(comment string) { fmt.Fprintf(&z.text, "\n; %s\n", comment) }

// add adds a record. The name is below the domain, or ends in a dot.
func (z *zone) add(name, kind, data string) {
	fmt.Fprintf(&z.text, "%-32s %-5s %s\n", name, kind, data)
}

// maxString is the longest string in a TXT record (RFC 1035, 3.3).
const maxString = 255

// addText adds a TXT record, in as many strings as it takes. The text has neither
// quotes nor backslashes.
func (z *zone) addText(name, text string) {
	var parts []string
	for len(text) > maxString {
		parts, text = append(parts, text[:maxString]), text[maxString:]
	}
	z.add(name, "TXT", `"`+strings.Join(append(parts, text), `" "`)+`"`)
}

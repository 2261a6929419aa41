package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/web"
)

// newZone returns the records that the domain of a relay needs. ips are the
// addresses of the machine, if they are known.
func newZone(cfg *config.Config, ips []netip.Addr) (*zone, error) {
	z := &zone{domain: cfg.Domain}
	host := cfg.Hostname + "."
	z.about("This machine.")
	for _, ip := range ips {
		z.add(host, addressRecord(ip), ip.String())
	}
	if len(ips) == 0 {
		fmt.Fprintf(&z.text, "; Add A and AAAA records for %s with its addresses (--ip prints them).\n", host)
	}
	z.about("Where mail for the domain goes.")
	z.add("@", "MX", "10 "+host)
	z.addSenders(cfg)
	if cfg.Queue.Enabled {
		s, err := openSigner(cfg.Queue.DKIMDir, time.Now())
		if err != nil {
			return nil, err
		}
		if err := z.addDKIM(s); err != nil {
			return nil, err
		}
	}
	z.addTransport(cfg, host)
	z.addServices(&cfg.Listen, host)
	return z, nil
}

func addressRecord(ip netip.Addr) string {
	if ip.Is4() {
		return "A"
	}
	return "AAAA"
}

// addSenders says who may send mail for the domain: SPF (RFC 7208) and DMARC (RFC
// 7489).
func (z *zone) addSenders(cfg *config.Config) {
	z.about("Who may send mail as the domain: SPF and DMARC.")
	spf := "v=spf1 mx -all"
	if name, _, err := net.SplitHostPort(cfg.Queue.RelayHost); err == nil {
		fmt.Fprintf(&z.text, "; Mail leaves through %s: if its operator names other machines, put those in.\n", name)
		spf = "v=spf1 mx " + spfMechanism(name) + " -all"
	}
	z.addText("@", spf)
	z.addText("_dmarc", "v=DMARC1; p=reject; adkim=s; aspf=s")
}

func spfMechanism(name string) string {
	ip, err := netip.ParseAddr(name)
	switch {
	case err != nil:
		return "a:" + name
	case ip.Is4():
		return "ip4:" + name
	}
	return "ip6:" + name
}

// addDKIM publishes the keys that mail is signed with (RFC 6376).
func (z *zone) addDKIM(s *signer) error {
	records, err := s.keys.Load().Records()
	if err != nil {
		return err
	}
	z.about("The keys that the relay signs outgoing mail with: DKIM.")
	for _, r := range records {
		z.addText(r.Name, r.Value)
	}
	return nil
}

// addTransport asks others for TLS on the way here: MTA-STS (RFC 8461), and TLS-RPT
// (RFC 8460) for word of what fails.
func (z *zone) addTransport(cfg *config.Config, host string) {
	if policy := stsPolicy(cfg); policy != nil {
		z.about("TLS on the way here, with a certificate for " + cfg.Hostname + " and mta-sts." + cfg.Domain + ": MTA-STS.")
		z.addText("_mta-sts", "v=STSv1; id="+policy.ID())
		z.add("mta-sts", "CNAME", host)
	}
	z.about("Where others report that TLS failed: TLS-RPT.")
	z.addText("_smtp._tls", "v=TLSRPTv1; rua=mailto:postmaster@"+cfg.Domain)
}

// stsPolicy is the relay's MTA-STS policy, or nil. With a certificate of the relay's
// own authority nobody could read it, or deliver under it.
func stsPolicy(cfg *config.Config) *web.STSPolicy {
	if cfg.Policy.MTASTS == "none" || cfg.TLS.CertFile == "" && cfg.TLS.ACME.Directory == "" || cfg.Listen.HTTPS.Address == "" {
		return nil
	}
	return &web.STSPolicy{Mode: cfg.Policy.MTASTS, MX: []string{cfg.Hostname}}
}

// addServices says where mail programs find servers (SRV, RFC 6186 and 8314),
// settings and keys.
func (z *zone) addServices(l *config.Listen, host string) {
	z.about("Where mail programs find the servers.")
	for _, s := range []struct {
		name     string
		listener config.Listener
	}{
		{"_submissions._tcp", l.SMTPS}, {"_submission._tcp", l.Submission}, {"_imaps._tcp", l.IMAPS}, {"_imap._tcp", l.IMAP},
	} {
		if _, port, err := net.SplitHostPort(s.listener.Address); err == nil {
			z.add(s.name, "SRV", strings.Join([]string{"0", "1", port, host}, " "))
		} else {
			z.add(s.name, "SRV", "0 0 0 .") // RFC 6186, 3.4: not here
		}
	}
	if l.HTTPS.Address == "" {
		return
	}
	z.about("Where they find settings and keys: autoconfig, autodiscover, WKD.")
	for _, name := range []string{"autoconfig", "autodiscover", "openpgpkey"} {
		z.add(name, "CNAME", host)
	}
	if l.Shared {
		z.about("Where mail programs find the servers at the https port.")
		z.add("imap", "CNAME", host)
		z.add("smtp", "CNAME", host)
	}
}

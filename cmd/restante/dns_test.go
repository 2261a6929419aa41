//go:build linux

package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/test/nameserver"
)

// TestDNSCommand: every record that the domain needs is there, in a form that a name
// server reads, and new keys come beside the old ones.
func TestDNSCommand(t *testing.T) {
	t.Parallel()
	cfg := demoConfig(t.TempDir(), "")
	cfg.Domain, cfg.Hostname, cfg.TLS.CertFile = "here.test", "mx.here.test", "/certificate.pem"
	cfg.Listen = config.Default().Listen
	cfg.Listen.IMAP.Address = ""
	cfg.Queue.Enabled = true
	z, err := newZone(cfg, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")})
	if err != nil {
		t.Fatal(err)
	}
	records := nameserver.Parse(t, z.String())
	for _, want := range []string{
		"mx.here.test. A 192.0.2.1", "mx.here.test. AAAA 2001:db8::1", "here.test. MX 10 mx.here.test.",
		`here.test. TXT "v=spf1 mx -all"`, `_dmarc.here.test. TXT "v=DMARC1; p=reject; adkim=s; aspf=s"`,
		`_smtp._tls.here.test. TXT "v=TLSRPTv1; rua=mailto:postmaster@here.test"`, "mta-sts.here.test. CNAME mx.here.test.",
		`_mta-sts.here.test. TXT "v=STSv1; id=` + stsPolicy(cfg).ID() + `"`,
		"_submissions._tcp.here.test. SRV 0 1 465 mx.here.test.", "_imaps._tcp.here.test. SRV 0 1 993 mx.here.test.",
		"_imap._tcp.here.test. SRV 0 0 0 .", "autoconfig.here.test. CNAME mx.here.test.", "openpgpkey.here.test. CNAME mx.here.test.",
	} {
		rr, err := dns.NewRR(want)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(records, func(r dns.RR) bool { return dns.IsDuplicate(r, rr) }) {
			t.Errorf("there is no %s in\n%s", want, z)
		}
	}
	before := countDKIM(records)
	rotated, err := rotateSigner(cfg.Queue.DKIMDir, time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := z.addDKIM(rotated); err != nil {
		t.Fatal(err)
	}
	records = nameserver.Parse(t, z.String())
	if after := countDKIM(records); before != 2 || after != 2+4 {
		t.Errorf("got %d DKIM records, and %d with those after a rotation, want 2 and 6", before, after)
	}
}

// countDKIM counts the records that hold a whole key.
func countDKIM(records []dns.RR) (n int) {
	for _, rr := range records {
		txt, ok := rr.(*dns.TXT)
		if ok && strings.Contains(rr.Header().Name, "._domainkey.") && strings.HasPrefix(strings.Join(txt.Txt, ""), "v=DKIM1; k=") {
			n++
		}
	}
	return n
}

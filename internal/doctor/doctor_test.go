package doctor

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/restante/restante/test/nameserver"
)

// good is the zone of a relay that has nothing wrong.
const good = `$ORIGIN here.test.
$TTL 60
mx                   A     192.0.2.1
mx                   AAAA  2001:db8::1
@                    MX    10 mx
@                    TXT   "v=spf1 mx -all"
@                    TXT   "something else"
_dmarc               TXT   "v=DMARC1; p=reject; adkim=s; aspf=s"
r1._domainkey        TXT   "v=DKIM1; k=rsa; p=AAAA" "BBBB"
_mta-sts             TXT   "v=STSv1; id=1"
mta-sts              CNAME mx
_smtp._tls           TXT   "v=TLSRPTv1; rua=mailto:postmaster@here.test"
_imaps._tcp          SRV   0 1 993 mx
_imap._tcp           SRV   0 0 0 .
autoconfig           CNAME mx
1.2.0.192.in-addr.arpa. PTR mx.here.test.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mx.here.test.
`

// nameServer serves a zone file as a resolver does.
func nameServer(t *testing.T, zone string, validates bool) *Resolver {
	t.Helper()
	n := nameserver.Start(t)
	n.Load(t, zone)
	if validates {
		n.Validate()
	}
	return &Resolver{Servers: []string{n.Address}}
}

func examine(t *testing.T, zone string) []Finding {
	t.Helper()
	return DNS(t.Context(), nameServer(t, zone, false), Zone{
		Domain: "here.test", Host: "mx.here.test", Records: good,
		Machine: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
	})
}

func faults(all []Finding) (checks []string) {
	for _, f := range all {
		if f.State != OK {
			checks = append(checks, f.Check)
		}
	}
	return checks
}

func TestNothingWrong(t *testing.T) {
	t.Parallel()
	all := examine(t, good)
	for _, f := range all {
		if f.State != OK {
			t.Errorf("%s: %s, %s", f.Check, f.State, f.Text)
		}
	}
	if len(all) < 12 {
		t.Errorf("only %d checks", len(all))
	}
}

// TestEachRecord takes away, changes and doubles each record: exactly the checks that
// stand on it find fault, and each says what to do.
func TestEachRecord(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new string
		want           []string
	}{
		{"no address", "mx                   A     192.0.2.1\nmx                   AAAA  2001:db8::1\n", "", []string{"address", "mta-sts", "autoconfig"}},
		{"foreign address", "A     192.0.2.1", "A     192.0.2.9", []string{"address", "reverse DNS"}},
		{"no MX", "@                    MX    10 mx\n", "", []string{"MX", "SPF"}},
		{"foreign MX", "MX    10 mx", "MX    10 other.test.", []string{"MX", "SPF"}},
		{"second MX", "MX    10 mx", "MX    10 mx\n@ MX 20 other.test.", []string{"MX"}},
		{"other preference", "MX    10 mx", "MX    5 mx", nil},
		{"no SPF", "@                    TXT   \"v=spf1 mx -all\"\n", "", []string{"SPF"}},
		{"SPF without us", "v=spf1 mx -all", "v=spf1 ip4:203.0.113.1 -all", []string{"SPF"}},
		{"SPF in other words", "v=spf1 mx -all", "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all", nil},
		{"SPF broken", "v=spf1 mx -all", "v=spf1 mx nonsense:x -all", nil}, // passes before the nonsense
		{"SPF nonsense first", "v=spf1 mx -all", "v=spf1 nonsense mx -all", []string{"SPF"}},
		{"SPF for everybody", "v=spf1 mx -all", "v=spf1 mx +all", []string{"SPF"}},
		{"two SPF", "\"v=spf1 mx -all\"", "\"v=spf1 mx -all\"\n@ TXT \"v=spf1 a -all\"", []string{"SPF"}},
		{"no DMARC", "_dmarc               TXT   \"v=DMARC1; p=reject; adkim=s; aspf=s\"\n", "", []string{"DMARC"}},
		{"DMARC none", "p=reject", "p=none", []string{"DMARC"}},
		{"DMARC quarantine", "p=reject", "p=quarantine", nil},
		{"two DMARC", "_dmarc ", "_dmarc TXT \"v=DMARC1; p=none\"\n_dmarc ", []string{"DMARC"}},
		{"no DKIM", "r1._domainkey        TXT   \"v=DKIM1; k=rsa; p=AAAA\" \"BBBB\"\n", "", []string{"DKIM"}},
		{"other DKIM key", "p=AAAA", "p=CCCC", []string{"DKIM"}},
		{"DKIM in other words", "\"v=DKIM1; k=rsa; p=AAAA\" \"BBBB\"", "\"p = AAAABBBB\"", nil},
		{"revoked DKIM", "\"v=DKIM1; k=rsa; p=AAAA\" \"BBBB\"", "\"v=DKIM1; k=rsa; p=\"", []string{"DKIM"}},
		{"no MTA-STS", "_mta-sts             TXT   \"v=STSv1; id=1\"\n", "", []string{"MTA-STS"}},
		{"old MTA-STS", "id=1", "id=0", []string{"MTA-STS"}},
		{"no mta-sts host", "mta-sts              CNAME mx\n", "", []string{"mta-sts"}},
		{"mta-sts by address", "mta-sts              CNAME mx\n", "mta-sts A 192.0.2.1\nmta-sts AAAA 2001:db8::1\n", nil},
		{"foreign autoconfig", "autoconfig           CNAME mx", "autoconfig A 203.0.113.1", []string{"autoconfig"}},
		{"no TLS-RPT", "_smtp._tls           TXT   \"v=TLSRPTv1; rua=mailto:postmaster@here.test\"\n", "", []string{"TLS-RPT"}},
		{"TLS-RPT elsewhere", "postmaster@here.test", "reports@other.test", nil},
		{"no SRV", "_imaps._tcp          SRV   0 1 993 mx\n", "", []string{"_imaps._tcp"}},
		{"wrong SRV port", "SRV   0 1 993 mx", "SRV   0 1 143 mx", []string{"_imaps._tcp"}},
		{"second SRV", "_imaps._tcp ", "_imaps._tcp SRV 0 1 993 other.test.\n_imaps._tcp ", []string{"_imaps._tcp"}},
		{"SRV for what is off", "SRV   0 0 0 .", "SRV   0 1 143 mx", []string{"_imap._tcp"}},
		{"no SRV for what is off", "_imap._tcp           SRV   0 0 0 .\n", "", nil},
		{"no reverse", "1.2.0.192.in-addr.arpa. PTR mx.here.test.\n", "", []string{"reverse DNS"}},
		{"foreign reverse", "1.2.0.192.in-addr.arpa. PTR mx", "1.2.0.192.in-addr.arpa. PTR vps", []string{"reverse DNS"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			zone := strings.Replace(good, test.old, test.new, 1)
			if zone == good {
				t.Fatal("the zone has not changed: the test can't fail")
			}
			all := examine(t, zone)
			if got := faults(all); !slices.Equal(slices.Compact(got), test.want) {
				t.Errorf("got faults %q, want %q\n%+v", got, test.want, all)
			}
			for _, f := range all {
				if f.State == Wrong && f.Fix == "" {
					t.Errorf("%s: nothing says what to do", f.Check)
				}
			}
		})
	}
}

func TestNoAnswerIsNoFault(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // open, and silent
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &Resolver{Servers: []string{conn.LocalAddr().String()}, Timeout: 1}
	for _, f := range DNS(t.Context(), r, Zone{Domain: "here.test", Host: "mx.here.test", Records: good}) {
		if f.State == Wrong {
			t.Errorf("%s is called wrong although nothing answers: %s", f.Check, f.Text)
		}
	}
}

func TestBehindNAT(t *testing.T) {
	t.Parallel()
	all := DNS(t.Context(), nameServer(t, good, false), Zone{Domain: "here.test", Host: "mx.here.test", Records: good})
	if got := faults(all); len(got) > 0 {
		t.Errorf("got faults %q for a machine that does not know its public address", got)
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	root := ". 60 DNSKEY 257 3 8 AwEAAag=\n"
	tests := []struct {
		name              string
		validates, needed bool
		want              State
	}{
		{"validates", true, true, OK}, {"not needed", false, false, OK}, {"needed", false, true, Wrong},
	}
	for _, test := range tests {
		if got := nameServer(t, root, test.validates).Validation(t.Context(), test.needed); got.State != test.want {
			t.Errorf("%s: got %v (%s), want %v", test.name, got.State, got.Text, test.want)
		}
	}
}

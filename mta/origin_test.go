package mta

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-smtp"
)

// bring brings a message to the MX, as another server does, and returns the code
// and the enhanced code of the last reply.
func (r *relay) bring(tb testing.TB, hello, sender, message string) string {
	tb.Helper()
	conn, err := r.dial(tb.Context(), "mx")
	if err != nil {
		tb.Fatal(err)
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	err = c.Hello(hello)
	if err == nil {
		err = c.SendMail(sender, []string{"bert@here.example"}, strings.NewReader(message))
	}
	var refused *smtp.SMTPError
	switch {
	case err == nil:
		return "kept"
	case errors.As(err, &refused):
		return fmt.Sprintf("%d %d.%d.%d", refused.Code, refused.EnhancedCode[0], refused.EnhancedCode[1], refused.EnhancedCode[2])
	}
	tb.Fatal(err)
	return ""
}

// from returns a message of an author.
func from(author string) string {
	return "From: " + author + "\r\nTo: bert@here.example\r\nDate: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <1@there.example>\r\n\r\nHello.\r\n"
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	keys, known := foreignKeys(t)
	for _, domain := range []string{"sub.there.example", "where.example", "strict.example", "sub.strict.example", "b.co.uk"} {
		known.txt["ed._domainkey."+domain] = known.txt["ed._domainkey.there.example"]
	}
	known.txt["_dmarc.strict.example"] = []string{"v=DMARC1; p=reject; adkim=s; aspf=s"}
	known.txt["_dmarc.held.example"] = []string{"other", "v=DMARC1; p=none; sp=quarantine"}
	known.txt["_dmarc.loose.example"] = []string{"v=DMARC1; p=none"}
	for _, domain := range []string{"there.example", "sub.there.example", "sub.strict.example", "strict.example", "mail.held.example"} {
		known.txt[domain] = []string{"v=spf1 ip4:192.0.2.0/24 -all"}
	}
	known.txt["soft.example"] = []string{"v=spf1 ~all"}
	known.txt["include.example"] = []string{"v=spf1 include:broken.example -all"}
	known.broken = []string{"broken._domainkey.there.example", "_dmarc.broken.example", "broken.example"}

	sign := func(domain, selector, message string) string {
		return foreignSign(t, dkim.SignOptions{Domain: domain, Selector: selector, Signer: keys["ed"], BodyCanonicalization: "relaxed"}, message)
	}
	zoe := from("Zoe <zoe@there.example>")
	const unsigned, unknown, later = "550 5.7.22", "550 5.7.26", "451 4.4.3"
	type origins struct{ dkim, dmarc string }
	both := func(s string) origins { return origins{s, s} }
	for _, c := range []struct {
		name, hello, sender, message string
		want                         origins
	}{
		{"signed", "", "zoe@where.example", sign("there.example", "ed", zoe), both("kept")},
		{"not signed, from its server", "", "zoe@there.example", zoe, origins{unsigned, "kept"}},
		{"not signed, from elsewhere", "", "zoe@where.example", zoe, origins{unsigned, unknown}},
		{"signed by somebody else", "", "zoe@where.example", sign("where.example", "ed", zoe), origins{unsigned, unknown}},
		{"signed by two", "", "zoe@where.example", sign("where.example", "none", sign("there.example", "ed", zoe)), both("kept")},
		{"signed, then changed", "", "zoe@where.example", sign("there.example", "ed", zoe) + "x\r\n", origins{unsigned, unknown}},
		{"key not there", "", "zoe@where.example", sign("there.example", "none", zoe), origins{unsigned, unknown}},
		{"key can't be had", "", "zoe@where.example", sign("there.example", "broken", zoe), both(later)},
		{"key can't be had, from its server", "", "zoe@there.example", sign("there.example", "broken", zoe), origins{later, "kept"}},
		{"signed below the author", "", "zoe@where.example", sign("sub.there.example", "ed", zoe), both("kept")},
		{"signed above the author", "", "zoe@where.example", sign("there.example", "ed", from("zoe@a.there.example")), both("kept")},
		{"signed below, strictly", "", "zoe@where.example", sign("sub.strict.example", "ed", from("zoe@strict.example")), origins{unsigned, unknown}},
		{"signed itself, strictly", "", "zoe@where.example", sign("strict.example", "ed", from("zoe@strict.example")), both("kept")},
		{"a neighbour under a public suffix", "", "zoe@where.example", sign("b.co.uk", "ed", from("zoe@a.co.uk")), origins{unsigned, unknown}},
		{"from a server below, strictly", "", "zoe@sub.strict.example", from("zoe@strict.example"), origins{unsigned, unknown}},
		{"from a server below", "", "zoe@sub.there.example", zoe, origins{unsigned, "kept"}},
		{"SPF only doubts", "", "zoe@soft.example", from("zoe@soft.example"), origins{unsigned, unknown}},
		{"SPF can't be had", "", "zoe@include.example", from("zoe@include.example"), origins{unsigned, later}},
		{"policy can't be had", "", "zoe@broken.example", from("zoe@broken.example"), origins{unsigned, later}},
		{"two authors of one domain", "", "zoe@where.example", sign("there.example", "ed", from("zoe@there.example, yan@there.example")), both("kept")},
		{"two authors of two domains", "", "zoe@where.example", sign("there.example", "ed", from("zoe@there.example, yan@where.example")), both("550 5.6.0")},
		{"words that are no address", "", "zoe@where.example", sign("there.example", "ed", from("anna@bank, zoe@there.example")), both("550 5.6.0")},
		{"report, signed", "", "", sign("there.example", "ed", zoe), both("kept")},
		{"report", "", "", from("MAILER-DAEMON@loose.example"), both("kept")},
		{"report of nobody", "", "", from("MAILER-DAEMON@nothing.example"), both("kept")},
		{"report, forged", "", "", from("MAILER-DAEMON@mail.held.example"), origins{unsigned, unknown}},
		{"report, from its server", "mail.held.example", "", from("MAILER-DAEMON@mail.held.example"), both("kept")},
		{"report, policy can't be had", "", "", from("MAILER-DAEMON@broken.example"), both(later)},
	} {
		for origin, want := range map[Origin]string{OriginDKIM: c.want.dkim, OriginDMARC: c.want.dmarc} {
			t.Run(fmt.Sprintf("%s %d", c.name, origin), func(t *testing.T) {
				t.Parallel()
				r := newRelay(t, func(o *Options) {
					o.Origin, o.Resolver = origin, &zone{txt: known.txt, broken: known.broken}
					o.ClientIP = func(net.Conn) (netip.Addr, bool) { return netip.MustParseAddr("192.0.2.7"), true }
				})
				hello := c.hello
				if hello == "" {
					hello = "client.example"
				}
				if got := r.bring(t, hello, c.sender, c.message); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if all, err := r.inbox(t.Context(), "bert"); err != nil || (len(all) == 1) != (want == "kept") {
					t.Errorf("%d messages, %v", len(all), err)
				}
			})
		}
	}
}

// TestOriginKeepsNothing: what was found out about a message is not stored, and
// for a signature of the author's domain nothing else is asked.
func TestOriginKeepsNothing(t *testing.T) {
	t.Parallel()
	keys, dns := foreignKeys(t)
	r := newRelay(t, func(o *Options) { o.Origin, o.Resolver = OriginDMARC, dns })
	message := "Authentication-Results: here.example; dkim=pass\r\n" + from("zoe@there.example")
	signed := foreignSign(t, dkim.SignOptions{Domain: "there.example", Selector: "ed", Signer: keys["ed"]}, message)
	if got := r.bring(t, "client.example", "zoe@there.example", signed); got != "kept" {
		t.Fatalf("got %s", got)
	}
	all, err := r.inbox(t.Context(), "bert")
	if err != nil || len(all) != 1 || string(all[0]) != from("zoe@there.example") {
		t.Errorf("got %q and %v", all, err)
	}
	if got := strings.Join(dns.questions(), " "); got != "ed._domainkey.there.example" {
		t.Errorf("asked for %s", got)
	}
}

// TestOriginWithoutAddress: behind an onion service there is no address, and SPF
// says nothing.
func TestOriginWithoutAddress(t *testing.T) {
	t.Parallel()
	dns := &zone{txt: map[string][]string{"there.example": {"v=spf1 +all"}}}
	r := newRelay(t, func(o *Options) { o.Origin, o.Resolver = OriginDMARC, dns })
	if got := r.bring(t, "client.example", "zoe@there.example", from("zoe@there.example")); got != "550 5.7.26" {
		t.Errorf("got %s", got)
	}
}

// TestOriginOfOwnMail: nobody asks our own users for a signature.
func TestOriginOfOwnMail(t *testing.T) {
	t.Parallel()
	r := newRelay(t, func(o *Options) { o.Origin, o.Resolver = OriginDKIM, &zone{} })
	if err := send(sender(t, r, "anna"), "anna", "bert", numbered("anna", 1, 100)); err != nil {
		t.Error(err)
	}
}

func TestPolicyOfRecords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records   string // separated by |
		subdomain bool
		want      dmarcPolicy
		ok        bool
	}{
		{records: "v=DMARC1; p=none", ok: true},
		{records: "v=DMARC1;p=reject", want: dmarcPolicy{refuse: true}, ok: true},
		{records: "v=DMARC1; p=reject; sp=none", subdomain: true, ok: true},
		{records: "v=DMARC1; p=none; sp=reject", subdomain: true, want: dmarcPolicy{refuse: true}, ok: true},
		{records: "v=DMARC1; p=none; sp=reject", ok: true},
		{records: "v=DMARC1; p=reject; adkim=s; aspf=r; rf=odd; pct=many", want: dmarcPolicy{refuse: true, strictDKIM: true}, ok: true},
		{records: "v=DMARC1; p=reject|v=DMARC1; p=none"},
		{records: "v=spf1 -all|v=DMARC1; p=none; aspf=s", want: dmarcPolicy{strictSPF: true}, ok: true},
		{records: "p=reject; v=DMARC1"},
		{records: "v=DMARC2; p=reject"},
		{records: ""},
	} {
		got, ok := thePolicy(strings.Split(c.records, "|"), c.subdomain)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: got %+v, %v", c.records, got, ok)
		}
	}
}

func TestOrganization(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]string{
		"a.b.there.example": "there.example", "there.example": "there.example", "example": "example", "a.b.co.uk": "b.co.uk", "co.uk": "co.uk",
		"[192.0.2.1]": "[192.0.2.1]", "relay.test": "relay.test",
	} {
		if got := organization(domain); got != want {
			t.Errorf("%s: got %s, want %s", domain, got, want)
		}
	}
}

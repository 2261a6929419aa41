package doctor

import (
	"context"
	"net"
	"strings"

	"blitiri.com.ar/go/spf"
	"github.com/miekg/dns"
)

// A textKind is one of the things that TXT records say.
type textKind struct {
	check, mark string // the record begins with mark
	// compare looks at the one record there is.
	compare func(e *examination, want, got string) Finding
}

var textKinds = []textKind{
	{"SPF", "v=spf1", (*examination).spf},
	{"DMARC", "v=DMARC1", (*examination).dmarc},
	{"DKIM", "v=DKIM1", (*examination).dkim},
	{"MTA-STS", "v=STSv1", (*examination).sts},
	{"TLS-RPT", "v=TLSRPTv1", (*examination).tlsReports},
}

// text looks at a TXT record. Other records may stand beside it, but none of its kind:
// readers then take neither.
func (e *examination) text(want *dns.TXT) {
	wanted := strings.Join(want.Txt, "")
	for _, k := range textKinds {
		if marked(wanted, k.mark) {
			e.add(e.textOf(k, want, wanted))
			return
		}
	}
}

func marked(text, mark string) bool {
	return len(text) >= len(mark) && strings.EqualFold(text[:len(mark)], mark) && (len(text) == len(mark) || text[len(mark)] == ' ' || text[len(mark)] == ';')
}

func (e *examination) textOf(k textKind, want *dns.TXT, wanted string) Finding {
	a, err := e.r.lookup(e.ctx, want.Hdr.Name, dns.TypeTXT)
	if err != nil {
		return unsure(k.check, err.Error())
	}
	var found []string
	for _, rr := range a.records {
		if text := strings.Join(rr.(*dns.TXT).Txt, ""); marked(text, k.mark) || k.mark == "v=DKIM1" { // its mark may be left out
			found = append(found, text)
		}
	}
	name := strings.TrimSuffix(want.Hdr.Name, ".")
	switch len(found) {
	case 0:
		return wrong(k.check, "there is none at "+name, publish(want))
	case 1:
	default:
		return wrong(k.check, "there are several at "+name+", and readers take none of them", "leave this one alone\n"+zoneLine(want))
	}
	f := k.compare(e, wanted, found[0])
	if f.Check = k.check; f.State == Wrong && f.Fix == "" {
		f.Fix = replace(want)
	}
	return f
}

// spf finds out what the record means for this machine, however it is written.
func (e *examination) spf(_, got string) Finding {
	for _, ip := range e.addresses {
		result, err := spf.CheckHostWithSender(net.IP(ip.AsSlice()), e.z.Host, "postmaster@"+e.z.Domain,
			spf.WithContext(e.ctx), spf.WithResolver(spfResolver{e.r}))
		switch {
		case result == spf.TempError:
			return unsure("", "it can't be evaluated: "+err.Error())
		case result == spf.PermError:
			return wrong("", "it can't be understood: "+got, "")
		case result != spf.Pass:
			return wrong("", "it does not let "+ip.String()+" send: "+got, "")
		}
	}
	if strings.HasSuffix(strings.TrimSpace(got), "+all") || strings.HasSuffix(strings.TrimSpace(got), " all") {
		return wrong("", "it lets everybody send: "+got, "")
	}
	return ok("", got)
}

// spfResolver lets the SPF library ask our resolver.
type spfResolver struct{ r *Resolver }

func (s spfResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := s.r.lookup(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, temporary(name, err)
	}
	var texts []string
	for _, rr := range a.records {
		texts = append(texts, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	return texts, nil
}

func (s spfResolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := s.r.lookup(ctx, name, dns.TypeMX)
	if err != nil {
		return nil, temporary(name, err)
	}
	var all []*net.MX
	for _, rr := range a.records {
		all = append(all, &net.MX{Host: rr.(*dns.MX).Mx, Pref: rr.(*dns.MX).Preference})
	}
	return all, nil
}

func (s spfResolver) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	found, err := s.r.addresses(ctx, name)
	if err != nil {
		return nil, temporary(name, err)
	}
	var all []net.IPAddr
	for _, ip := range found {
		all = append(all, net.IPAddr{IP: ip.AsSlice()})
	}
	return all, nil
}

func (s spfResolver) LookupAddr(ctx context.Context, ip string) ([]string, error) {
	name, err := dns.ReverseAddr(ip)
	if err != nil {
		return nil, err
	}
	a, err := s.r.lookup(ctx, name, dns.TypePTR)
	if err != nil {
		return nil, temporary(name, err)
	}
	var names []string
	for _, rr := range a.records {
		names = append(names, rr.(*dns.PTR).Ptr)
	}
	return names, nil
}

// temporary is the form in which the SPF library knows that asking again may help.
func temporary(name string, err error) error {
	return &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true}
}

// tags reads "a=b; c=d" (RFC 6376, 3.2).
func tags(text string) map[string]string {
	all := map[string]string{}
	for field := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(field, "=")
		all[strings.ToLower(strings.TrimSpace(name))] = strings.Join(strings.Fields(value), "")
	}
	return all
}

func (e *examination) dmarc(_, got string) Finding {
	switch p := strings.ToLower(tags(got)["p"]); p {
	case "reject", "quarantine":
		return ok("", got)
	case "none":
		return wrong("", "mail that is forged in your name is delivered all the same: "+got, "")
	default:
		return wrong("", "it has no policy: "+got, "")
	}
}

func (e *examination) dkim(want, got string) Finding {
	w, g := tags(want), tags(got)
	if w["p"] != g["p"] || g["k"] != w["k"] && !(g["k"] == "" && w["k"] == "rsa") {
		return wrong("", "the published key is not the relay's", "")
	}
	return ok("", "the "+w["k"]+" key is published")
}

func (e *examination) sts(want, got string) Finding {
	if tags(want)["id"] != tags(got)["id"] {
		return wrong("", "its id is not that of the policy that the relay serves: others keep an old one", "")
	}
	return ok("", got)
}

func (e *examination) tlsReports(_, got string) Finding {
	if tags(got)["rua"] == "" {
		return wrong("", "it names nobody to report to: "+got, "")
	}
	return ok("", got)
}

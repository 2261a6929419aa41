package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Zone is what the DNS should say of a relay.
type Zone struct {
	Domain string // the mail domain
	Host   string // the relay's own name

	// Records is the zone file that `restante dns` prints.
	Records string

	// Machine has the public addresses of this machine, if it has any of its own:
	// behind NAT it knows none.
	Machine []netip.Addr
}

// DNS compares what the resolver says with what it should say, record by record.
func DNS(ctx context.Context, r *Resolver, z Zone) []Finding {
	wanted, err := z.parse()
	if err != nil {
		return []Finding{unsure("DNS", "the records can't be made: "+err.Error())}
	}
	e := &examination{ctx: ctx, r: r, z: z}
	e.host()
	for _, rr := range wanted {
		e.record(rr)
	}
	e.reverse()
	return e.findings
}

func (z Zone) parse() ([]dns.RR, error) {
	p := dns.NewZoneParser(strings.NewReader(z.Records), "", "")
	var all []dns.RR
	for rr, more := p.Next(); more; rr, more = p.Next() {
		all = append(all, rr)
	}
	return all, p.Err()
}

// An examination is one comparison under way.
type examination struct {
	ctx       context.Context
	r         *Resolver
	z         Zone
	addresses []netip.Addr // of the host
	findings  []Finding
}

func (e *examination) add(f ...Finding) { e.findings = append(e.findings, f...) }

// host looks at the addresses of the relay's own name.
func (e *examination) host() {
	const check = "address"
	found, err := e.r.addresses(e.ctx, e.z.Host)
	if err != nil {
		e.add(unsure(check, err.Error()))
		return
	}
	e.addresses = found
	switch foreign := e.foreign(); {
	case len(found) == 0:
		e.add(wrong(check, e.z.Host+" has no address", "publish the public addresses of this machine: A for IPv4, AAAA for IPv6"+e.ownAddresses()))
	case len(foreign) > 0:
		e.add(wrong(check, fmt.Sprintf("%s leads to %s, which is not this machine", e.z.Host, list(foreign)), "publish in place of that"+e.ownAddresses()))
	default:
		e.add(ok(check, e.z.Host+" is "+list(found)))
	}
}

// ownAddresses are the records of the addresses that the machine knows to be its own,
// each on a line.
func (e *examination) ownAddresses() string {
	var b strings.Builder
	for _, ip := range e.z.Machine {
		kind := "A"
		if ip.Is6() {
			kind = "AAAA"
		}
		fmt.Fprintf(&b, "\n%s. %s %s", e.z.Host, kind, ip)
	}
	return b.String()
}

// foreign returns the addresses of the host that another machine has. Behind NAT that
// can't be told, and there are none.
func (e *examination) foreign() (foreign []netip.Addr) {
	for _, a := range e.addresses {
		sameFamily := func(m netip.Addr) bool { return m.Is4() == a.Is4() }
		if slices.ContainsFunc(e.z.Machine, sameFamily) && !slices.Contains(e.z.Machine, a) {
			foreign = append(foreign, a)
		}
	}
	return foreign
}

func list(ips []netip.Addr) string {
	var words []string
	for _, ip := range ips {
		words = append(words, ip.String())
	}
	return strings.Join(words, " and ")
}

// record looks at one record that should be there.
func (e *examination) record(want dns.RR) {
	switch want := want.(type) {
	case *dns.MX:
		e.mx(want)
	case *dns.TXT:
		e.text(want)
	case *dns.CNAME:
		e.alias(want)
	case *dns.SRV:
		e.service(want)
	}
}

// publish is the fix for a missing record, which follows on a line of its own.
func publish(rr dns.RR) string { return "publish\n" + zoneLine(rr) }

// replace is the fix for a record that is wrong.
func replace(rr dns.RR) string { return "publish in place of what is there\n" + zoneLine(rr) }

// zoneLine is a record as it stands in a zone file, without what every zone says itself.
func zoneLine(rr dns.RR) string {
	h := rr.Header()
	data := strings.TrimPrefix(rr.String(), h.String())
	return h.Name + " " + dns.TypeToString[h.Rrtype] + " " + data
}

// mx: mail must come here, and nowhere else.
func (e *examination) mx(want *dns.MX) {
	const check = "MX"
	a, err := e.r.lookup(e.ctx, want.Hdr.Name, dns.TypeMX)
	if err != nil {
		e.add(unsure(check, err.Error()))
		return
	}
	here := false
	var elsewhere []string
	for _, rr := range a.records {
		if mx := rr.(*dns.MX); strings.EqualFold(mx.Mx, want.Mx) {
			here = true
		} else {
			elsewhere = append(elsewhere, strings.TrimSuffix(mx.Mx, "."))
		}
	}
	switch {
	case !here && len(elsewhere) > 0:
		e.add(wrong(check, "mail for "+e.z.Domain+" goes to "+strings.Join(elsewhere, " and "), "remove the others, and publish\n"+zoneLine(want)))
	case !here:
		e.add(wrong(check, e.z.Domain+" has no MX record", publish(want)))
	case len(elsewhere) > 0:
		e.add(wrong(check, "some mail for "+e.z.Domain+" goes to "+strings.Join(elsewhere, " and "),
			"remove the MX records of the others: they have none of the mailboxes"))
	default:
		e.add(ok(check, "mail for "+e.z.Domain+" comes to "+e.z.Host))
	}
}

// alias: a name must lead to this machine, by CNAME or by addresses of its own.
func (e *examination) alias(want *dns.CNAME) {
	name := strings.TrimSuffix(want.Hdr.Name, ".")
	check := strings.TrimSuffix(name, "."+e.z.Domain)
	found, err := e.r.addresses(e.ctx, name)
	switch {
	case err != nil:
		e.add(unsure(check, err.Error()))
	case len(found) == 0:
		e.add(wrong(check, name+" has no address", publish(want)))
	case !sameSet(found, e.addresses):
		e.add(wrong(check, name+" leads to "+list(found)+", not to "+e.z.Host, replace(want)))
	default:
		e.add(ok(check, name+" leads here"))
	}
}

func sameSet(a, b []netip.Addr) bool {
	sort := func(s []netip.Addr) []netip.Addr { return slices.SortedFunc(slices.Values(s), netip.Addr.Compare) }
	return slices.Equal(sort(a), sort(b))
}

// service: programs that ask for a service must be led to this machine alone. The
// record that says "not here" may be missing: that says the same.
func (e *examination) service(want *dns.SRV) {
	name := strings.TrimSuffix(want.Hdr.Name, ".")
	check := strings.TrimSuffix(name, "."+e.z.Domain)
	a, err := e.r.lookup(e.ctx, name, dns.TypeSRV)
	if err != nil {
		e.add(unsure(check, err.Error()))
		return
	}
	good := 0
	var bad []string
	for _, rr := range a.records {
		if srv := rr.(*dns.SRV); strings.EqualFold(srv.Target, want.Target) && srv.Port == want.Port {
			good++
		} else {
			bad = append(bad, fmt.Sprintf("%s port %d", strings.TrimSuffix(srv.Target, "."), srv.Port))
		}
	}
	switch {
	case len(bad) > 0:
		e.add(wrong(check, "programs are led to "+strings.Join(bad, " and "), replace(want)))
	case good == 0 && want.Target != ".":
		e.add(wrong(check, "there is no SRV record", publish(want)))
	case want.Target == ".":
		e.add(ok(check, "not offered here, and no record says otherwise"))
	default:
		e.add(ok(check, fmt.Sprintf("port %d of %s", want.Port, e.z.Host)))
	}
}

// reverse: the names of the machine's addresses must be its own; many servers take no
// mail from one whose names don't fit (RFC 1912, 2.1).
func (e *examination) reverse() {
	const check = "reverse DNS"
	for _, ip := range e.addresses {
		name, err := dns.ReverseAddr(ip.String())
		if err != nil {
			continue // every address has one
		}
		a, err := e.r.lookup(e.ctx, name, dns.TypePTR)
		if err != nil {
			e.add(unsure(check, err.Error()))
			continue
		}
		var names []string
		for _, rr := range a.records {
			names = append(names, strings.ToLower(strings.TrimSuffix(rr.(*dns.PTR).Ptr, ".")))
		}
		fix := "ask whoever gave you the address " + ip.String() + " to set its reverse DNS (PTR) to " + e.z.Host
		switch {
		case len(names) == 0:
			e.add(wrong(check, ip.String()+" has no name", fix))
		case !slices.Contains(names, e.z.Host):
			e.add(wrong(check, ip.String()+" is named "+strings.Join(names, " and "), fix))
		default:
			e.add(ok(check, ip.String()+" is named "+e.z.Host))
		}
	}
}

// MachineAddresses returns the public addresses that the interfaces of this machine
// have. Behind NAT there are none.
func MachineAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var public []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().IsGlobalUnicast() && !prefix.Addr().IsPrivate() {
			public = append(public, prefix.Addr().Unmap())
		}
	}
	return public
}

package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

// A Peer is another relay that tells which ports of this one it reaches.
type Peer struct {
	Domain string
	HTTPS  int         // its port
	TLS    *tls.Config // nil trusts whom the system trusts
}

// outsideTimeout bounds one question to a peer: it tries all ports at once.
const outsideTimeout = 20 * time.Second

// Outside has another relay connect to the ports of this one, over each family of
// addresses that both have. What it says is believed only if it sees this machine under
// an address of host: else it has tried the ports of something in between.
func Outside(ctx context.Context, r *Resolver, p Peer, host string, ports []Port) []Finding {
	const check = "from outside"
	own, err := r.addresses(ctx, host)
	if err != nil || len(own) == 0 {
		return []Finding{unsure(check, "can't be tried: "+host+" has no address yet")}
	}
	name, theirs, err := r.exchange(ctx, p.Domain)
	if err != nil {
		return []Finding{unsure(check, "can't be tried: "+err.Error())}
	}
	var all []Finding
	for _, family := range []struct {
		name string
		is4  bool
	}{{"IPv4", true}, {"IPv6", false}} {
		is := func(a netip.Addr) bool { return a.Is4() == family.is4 }
		i := slices.IndexFunc(theirs, is)
		if i < 0 || !slices.ContainsFunc(own, is) {
			continue
		}
		a, err := p.ask(ctx, name, theirs[i], ports)
		switch {
		case err != nil:
			all = append(all, unsure(check, fmt.Sprintf("%s can't say over %s: %v", p.Domain, family.name, err)))
		case !slices.Contains(own, a.Address.Unmap()):
			all = append(all, unsure(check, fmt.Sprintf("%s sees this machine as %s, which is no address of %s: what it reaches there says nothing", p.Domain, a.Address, host)))
		default:
			all = append(all, a.findings(ports, family.name)...)
		}
	}
	if len(all) == 0 {
		return []Finding{unsure(check, "can't be tried: "+p.Domain+" and this relay have no family of addresses in common")}
	}
	return all
}

// exchange returns the name and the addresses of the server that takes a domain's mail.
func (r *Resolver) exchange(ctx context.Context, domain string) (string, []netip.Addr, error) {
	mx, err := r.lookup(ctx, domain, dns.TypeMX)
	if err != nil {
		return "", nil, err
	}
	name, best := domain, -1
	for _, rr := range mx.records {
		if m := rr.(*dns.MX); best < 0 || int(m.Preference) < best {
			name, best = m.Mx[:max(0, len(m.Mx)-1)], int(m.Preference)
		}
	}
	found, err := r.addresses(ctx, name)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s has no address", name)
	}
	return name, found, err
}

// reached is what a peer answers (package web, ReachAnswer).
type reached struct {
	Address netip.Addr `json:"address"`
	Open    []int      `json:"open"`
	Closed  []int      `json:"closed"`
}

// errNotOffered: the peer is another program, an older one, or it can't tell who asks.
var errNotOffered = errors.New("it does not offer that")

// ask asks the peer at one of its addresses, so that it sees us in that family.
func (p Peer) ask(ctx context.Context, name string, at netip.Addr, ports []Port) (a reached, err error) {
	ctx, cancel := context.WithTimeout(ctx, outsideTimeout)
	defer cancel()
	numbers := []int{}
	for _, port := range ports {
		numbers = append(numbers, port.Port)
	}
	body, err := json.Marshal(map[string][]int{"ports": numbers})
	if err != nil {
		return a, err
	}
	transport := &http.Transport{TLSClientConfig: p.TLS.Clone(), DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(at, uint16(p.HTTPS)).String())
	}}
	url := "https://" + net.JoinHostPort(name, strconv.Itoa(p.HTTPS)) + "/.well-known/restante/reach"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		return a, errors.New(plain(err))
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return a, json.NewDecoder(io.LimitReader(answer.Body, 4<<10)).Decode(&a)
	case http.StatusTooManyRequests:
		return a, errors.New("it was asked too often: try again in some minutes")
	}
	return a, errNotOffered
}

func (a reached) findings(ports []Port, family string) (all []Finding) {
	for _, p := range ports {
		check := "port " + p.Name
		switch {
		case slices.Contains(a.Open, p.Port):
			all = append(all, ok(check, fmt.Sprintf("%d is reached from outside over %s", p.Port, family)))
		case slices.Contains(a.Closed, p.Port):
			all = append(all, wrong(check, fmt.Sprintf("%d can't be reached from outside over %s", p.Port, family),
				fmt.Sprintf("open port %d in the firewall of this machine and where you rent it; then: ss -tln", p.Port)))
		}
	}
	return all
}

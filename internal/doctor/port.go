package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Port is one port of the relay.
type Port struct {
	Name string // "imaps"
	Port int    // as clients use it
	TLS  bool   // from the first byte
}

// Ports connects to each port at each address of the relay's own name, as clients do.
// From the machine itself that can fail where it works from elsewhere: what answers at
// local is then unsure, and wrong only if that is silent too.
func Ports(ctx context.Context, r *Resolver, host string, ports []Port, roots *x509.CertPool, now time.Time) []Finding {
	found, err := r.addresses(ctx, host)
	if err != nil || len(found) == 0 {
		return []Finding{unsure("ports", "can't be tried: "+host+" has no address yet")}
	}
	var all []Finding
	for _, p := range ports {
		for _, ip := range found {
			all = append(all, p.try(ctx, ip, host, roots, now))
		}
	}
	return all
}

func (p Port) try(ctx context.Context, ip netip.Addr, host string, roots *x509.CertPool, now time.Time) Finding {
	check := "port " + p.Name
	address := netip.AddrPortFrom(ip, uint16(p.Port)).String()
	conn, err := dial(ctx, address)
	if err == nil && !p.TLS {
		conn.Close()
		return ok(check, address+" answers")
	}
	if err != nil {
		if local, err := dial(ctx, netip.AddrPortFrom(loopback(ip), uint16(p.Port)).String()); err == nil {
			local.Close()
			return unsure(check, address+" does not answer from this machine, and the relay listens: try it from elsewhere; if it is silent there, open the port in the firewall")
		}
		return wrong(check, address+" does not answer", "start the relay (systemctl start restante), and open the port in the firewall")
	}
	defer conn.Close()
	return certificate(ctx, check, address, conn, &tls.Config{ServerName: host, RootCAs: roots, Time: func() time.Time { return now }})
}

func loopback(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
}

// soon is when a certificate should have been renewed long ago.
const soon = 7 * 24 * time.Hour

// certificate looks at what a client is shown.
func certificate(ctx context.Context, check, address string, conn net.Conn, config *tls.Config) Finding {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return unsure(check, err.Error())
	}
	client := tls.Client(conn, config)
	err := client.HandshakeContext(ctx)
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var other x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		return wrong(check, address+" has a certificate that clients don't trust",
			"set tls.acme.directory, or cert_file and key_file; or have clients trust data_dir/tls/ca.pem")
	case errors.As(err, &other):
		return wrong(check, address+" has a certificate for another name than "+config.ServerName, "get one for "+config.ServerName+", the relay's hostname")
	case errors.As(err, &invalid):
		return wrong(check, address+" has a certificate that is not valid: "+invalid.Error(), "restante status says why it was not renewed")
	case err != nil:
		return wrong(check, address+" does not speak TLS: "+plain(err), "is another program on this port? see: ss -tlnp")
	}
	leaf := client.ConnectionState().PeerCertificates[0]
	text := fmt.Sprintf("%s answers, with a certificate until %s", address, leaf.NotAfter.UTC().Format("2 January 2006"))
	if leaf.NotAfter.Sub(config.Time()) < soon {
		return wrong(check, text, "it should have been renewed: restante status says why it was not")
	}
	return ok(check, text)
}

// plain takes the addresses out of a network error: they stand before it already.
func plain(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}

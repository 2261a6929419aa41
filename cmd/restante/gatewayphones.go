package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/phone"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/listen"
)

// phoneDoor is what a running gateway has for the user's other devices: three listeners
// with TLS, under an authority that the vault keeps.
type phoneDoor struct {
	host              string
	certs             *listen.TLS
	imap, smtp, setup *listen.Listener
	offers            *phone.Server
}

// The bounds of connections of other devices, all of one user.
const (
	phoneConns        = 200
	phoneConnsOfOne   = 60
	phoneConnsInSetup = 20
)

// openPhones opens the listeners, if the user wants any; else it returns nil.
func openPhones(ctx context.Context, o *openedGateway) (*phoneDoor, error) {
	p, err := gateway.LoadPhones(o.vault)
	if err != nil || p.Off() {
		return nil, err
	}
	d := &phoneDoor{host: p.Host}
	if d.certs, err = phoneCerts(o.vault, p.Host); err != nil {
		return nil, err
	}
	for _, l := range []struct {
		name, at string
		to       **listen.Listener
		most     int
		protocol []string
	}{
		{"imaps of devices", p.IMAP, &d.imap, phoneConns, []string{"imap"}},
		{"submissions of devices", p.SMTP, &d.smtp, phoneConns, []string{"smtp"}},
		{"set-up of devices", p.Setup, &d.setup, phoneConnsInSetup, []string{"http/1.1"}},
	} {
		*l.to, err = listen.Listen(ctx, l.at, listen.Options{
			Name: l.name, SharedLoopback: true, TLS: d.certs.Config(l.protocol...), MaxConns: l.most, MaxPerNetwork: phoneConnsOfOne,
		})
		if err != nil {
			d.close()
			return nil, fmt.Errorf("listen for other devices: %w: choose another address with `restante gateway device listen`, or off", err)
		}
	}
	public := d.settings()
	d.offers = phone.NewServer(phone.Options{Host: p.Host, Port: portOf(d.setup), Public: public})
	return d, nil
}

// phoneCerts opens the authority for a host, which is made at the first time.
func phoneCerts(v *vault.Vault, host string) (*listen.TLS, error) {
	return listen.OpenTLS(listen.TLSOptions{
		// localhost keeps the authority from being one for all names, when host is an IP address.
		Dir: "the vault", Files: gateway.CertFiles{Vault: v}, Names: []string{host, "localhost"},
	})
}

// settings returns what all devices have in common and anybody may know.
func (d *phoneDoor) settings() phone.Settings {
	return phone.Settings{Host: d.host, IMAP: portOf(d.imap), SMTP: portOf(d.smtp), CA: d.certs.CA()}
}

func (d *phoneDoor) close() {
	for _, l := range []*listen.Listener{d.imap, d.smtp, d.setup} {
		if l != nil {
			_ = l.Close() // nothing was served on it, or all has ended
		}
	}
}

// serve serves other devices until ctx ends.
func (d *phoneDoor) serve(ctx context.Context, o *openedGateway) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.ServeIMAPTLS(ctx, d.imap, peerOf) })
	group.Go(func() error { return o.ServeSubmissionTLS(ctx, d.smtp, peerOf) })
	group.Go(func() error { return d.offers.Serve(ctx, d.setup) })
	group.Go(func() error { return d.certs.Run(ctx) })
	return group.Wait()
}

// text says where it is, for people.
func (d *phoneDoor) text() string {
	return fmt.Sprintf("%s, IMAP port %d, SMTP port %d, both with TLS", d.host, portOf(d.imap), portOf(d.smtp))
}

func portOf(ln net.Listener) int {
	at, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return at.Port
}

// certificateText returns the SHA-256 fingerprint of what devices are shown, as mail
// programs show it.
func certificateText(certs *listen.TLS) (string, error) {
	cert, err := certs.Config().GetCertificate(nil)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(cert.Certificate[0])
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":"), nil
}

// phoneAddress decides whether other devices may be let in at an IP address: one that
// the whole internet reaches needs a word of the user's.
func phoneAddress(text string, public bool) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ip, fmt.Errorf("%q is no IP address of this machine, such as 192.168.1.5", text)
	}
	ip = ip.Unmap()
	if public || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || sharedRange.Contains(ip) {
		return ip, nil
	}
	if ip.IsUnspecified() {
		return ip, errors.New("that is every address of this machine, public ones too: give the one in your own network, or say --public if you mean it")
	}
	return ip, errors.New("that is a public address, which everybody can try passwords at: give one of a LAN, a VPN or 127.0.0.1 behind an onion service, or say --public if you mean it")
}

// sharedRange is the addresses of carriers and of some VPNs (RFC 6598).
var sharedRange = netip.MustParsePrefix("100.64.0.0/10")

// phonePorts are the ports of the three listeners.
type phonePorts struct{ imap, smtp, setup uint16 }

func (p phonePorts) at(host string, ip netip.Addr) gateway.Phones {
	addr := func(port uint16) string { return net.JoinHostPort(ip.String(), strconv.Itoa(int(port))) }
	return gateway.Phones{Host: host, IMAP: addr(p.imap), SMTP: addr(p.smtp), Setup: addr(p.setup)}
}

// portText returns the port of a host:port, and 0 where none is.
func portText(at string) int {
	_, port, _ := net.SplitHostPort(at)
	n, _ := strconv.Atoi(port) // 0 is the answer then
	return n
}

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/test/nameserver"
)

// startPeer runs a relay of another domain that tries these ports for who asks.
func startPeer(t *testing.T, dns *nameserver.Server, listeners map[string]string) *relay {
	t.Helper()
	dir, err := os.MkdirTemp("", "r") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := demoConfig(dir, "")
	cfg.Domain, cfg.Hostname, cfg.DNS.Servers, cfg.Policy.InboundAuth = "there.test", "mx.there.test", []string{dns.Address}, "dkim"
	cfg.Listen.HTTPS = config.Listener{Address: "127.0.0.1:0", Network: "ip"}
	cfg.Listen.MX = config.Listener{Address: "127.0.0.1:0", Network: "ip"}
	var ports []int
	for _, address := range listeners {
		ports = append(ports, portIn(t, address))
	}
	r, err := openRelay(t.Context(), cfg, slog.New(slog.DiscardHandler), os.Getenv, relayOptions{reachPorts: ports})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, r.close()); err != nil {
			t.Error(err)
		}
	})
	dns.Load(t, "there.test. 60 MX 10 mx.there.test.\nmx.there.test. 60 A 127.0.0.1\n")
	if _, err := (direct{r.service, cfg.Domain}).do(t.Context(), adminRequest{Op: opNew, Ref: "zoe"}); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDoctorPeer: another relay says which ports it reaches, and takes a mail.
func TestDoctorPeer(t *testing.T) {
	t.Parallel()
	dns, listeners := nameserver.Start(t), freeListeners(t)
	peer := startPeer(t, dns, listeners)
	x := startExaminedRelay(t, dns, listeners, fmt.Sprintf("[queue]\nprivate_networks = true\nhttps = false\nca_file = '%s'\nport = %d\nhttps_port = %d\n",
		peer.caFile(), peer.portOf("mx"), peer.portOf("https")))
	_, text := x.examine(t, "--peer", "zoe@there.test")
	for name, address := range listeners {
		if want := fmt.Sprintf("  ok     port %-12s %d is reached from outside over IPv4\n", name, portIn(t, address)); !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if want := "the other server has taken an encrypted mail"; !strings.Contains(text, want) {
		t.Errorf("there is no %q in\n%s", want, text)
	}
}

// TestOutside: what a peer says is told as it is, and nothing is made of what it can't
// know.
func TestOutside(t *testing.T) {
	t.Parallel()
	dns, listeners := nameserver.Start(t), freeListeners(t)
	listeners["closed"] = freeAddress(t)
	peer := startPeer(t, dns, listeners)
	x := startExaminedRelay(t, dns, map[string]string{"imaps": listeners["imaps"]}, "")
	dns.Load(t, "elsewhere.test. 60 A 192.0.2.7\nsilent.test. 60 A 127.0.0.1\nsilent.test. 60 MX 10 nowhere.test.\n")
	roots, err := otherRoots(peer.caFile())
	if err != nil {
		t.Fatal(err)
	}
	ports := []doctor.Port{{Name: "imaps", Port: portIn(t, listeners["imaps"])}, {Name: "closed", Port: portIn(t, listeners["closed"])}, {Name: "else", Port: 1}}
	tests := []struct {
		name, peer, host string
		https            int
		want             []string // a state, and the beginning of a text
	}{
		{"one open, one closed, one that is tried for nobody", "there.test", "mx.here.test", peer.portOf("https"), []string{
			fmt.Sprintf("ok port imaps: %d is reached", ports[0].Port), fmt.Sprintf("WRONG port closed: %d can't be reached", ports[1].Port)}},
		{"seen under another address", "there.test", "elsewhere.test", peer.portOf("https"), []string{"? from outside: there.test sees this machine as 127.0.0.1, which is no address of elsewhere.test"}},
		{"no relay there", "there.test", "mx.here.test", portIn(t, freeAddress(t)), []string{"? from outside: there.test can't say over IPv4: "}},
		{"a relay without an address", "silent.test", "mx.here.test", 443, []string{"? from outside: can't be tried: nowhere.test has no address"}},
	}
	r := &doctor.Resolver{Servers: []string{x.dns.Address}}
	for _, test := range tests {
		found := doctor.Outside(t.Context(), r, doctor.Peer{Domain: test.peer, HTTPS: test.https, TLS: roots}, test.host, ports)
		if len(found) != len(test.want) {
			t.Errorf("%s: got %+v", test.name, found)
			continue
		}
		for i, f := range found {
			if got := fmt.Sprintf("%s %s: %s", f.State, f.Check, f.Text); !strings.HasPrefix(got, test.want[i]) {
				t.Errorf("%s: got %q, want %q", test.name, got, test.want[i])
			}
			if (f.State == doctor.Wrong) != (f.Fix != "") {
				t.Errorf("%s: %+v has no fix, or one for nothing", test.name, f)
			}
		}
	}
}

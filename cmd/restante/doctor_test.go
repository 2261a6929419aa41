//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/test/nameserver"
)

// examinedRelay is a relay that runs with a configuration file, whose DNS the test
// writes.
type examinedRelay struct {
	cfg  *config.Config
	file string
	dns  *nameserver.Server
}

func newExaminedRelay(t *testing.T) *examinedRelay {
	t.Helper()
	return startExaminedRelay(t, nameserver.Start(t), freeListeners(t), "")
}

// freeListeners are addresses for the ports of a relay.
func freeListeners(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, l := range []string{"smtps", "submission", "mx", "imaps", "imap", "https"} {
		all[l] = freeAddress(t)
	}
	return all
}

// startExaminedRelay runs a relay with more in its configuration.
func startExaminedRelay(t *testing.T, dns *nameserver.Server, listeners map[string]string, more string) *examinedRelay {
	t.Helper()
	x := &examinedRelay{dns: dns}
	dir, err := os.MkdirTemp("", "r") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text := "domain = \"here.test\"\nhostname = \"mx.here.test\"\ndata_dir = '" + filepath.Join(dir, "data") + "'\n" +
		"[dns]\nservers = [\"" + x.dns.Address + "\"]\n"
	for name, address := range listeners {
		text += "[listen." + name + "]\naddress = \"" + address + "\"\nnetwork = \"shared\"\n"
	}
	text += more
	x.file = filepath.Join(dir, "config.toml")
	if err := os.WriteFile(x.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if x.cfg, err = config.Load(x.file); err != nil {
		t.Fatal(err)
	}
	x.serve(t)
	z, err := newZone(x.cfg, []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	x.dns.Load(t, z.String()+"1.0.0.127.in-addr.arpa. PTR mx.here.test.\n. DNSKEY 257 3 8 AwEAAag=\n")
	return x
}

func (x *examinedRelay) serve(t *testing.T) {
	t.Helper()
	r, err := openRelay(t.Context(), x.cfg, slog.New(slog.DiscardHandler), os.Getenv, relayOptions{})
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
}

// examine runs the command and returns its code and what it says.
func (x *examinedRelay) examine(t *testing.T, flags ...string) (int, string) {
	t.Helper()
	var out, talk bytes.Buffer
	code := run(t.Context(), append([]string{"doctor", "--config", x.file, "--ip", "127.0.0.1"}, flags...),
		env{strings.NewReader(""), &out, &talk, os.Getenv})
	return code, out.String() + talk.String()
}

// TestDoctor: what is wrong with a fresh relay is its own authority and the key that
// nobody has copied; a mail comes through, and its account is gone afterwards.
func TestDoctor(t *testing.T) {
	t.Parallel()
	x := newExaminedRelay(t)
	code, text := x.examine(t, "--mail")
	if code != 1 || !strings.Contains(text, "nobody has said that there is a copy") {
		t.Errorf("got code %d and\n%s", code, text)
	}
	code, text = x.examine(t, "--mail", "--key-copied")
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "  WRONG") && !strings.Contains(line, "clients don't trust") && !strings.Contains(line, " clock ") {
			t.Error(line)
		}
	}
	for _, want := range []string{"to itself         an encrypted mail was sent, kept, fetched and read in ", "MX                mail for here.test comes to mx.here.test",
		"reverse DNS       127.0.0.1 is named mx.here.test", "relay key         you have a copy"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if code != 1 { // the own authority
		t.Errorf("got code %d", code)
	}
	var list bytes.Buffer
	if code := run(t.Context(), []string{"account", "list", "--config", x.file, "--addresses"}, env{strings.NewReader(""), &list, &list, os.Getenv}); code != 0 || strings.Contains(list.String(), "doctor-") {
		t.Errorf("the account of the test is left over, or: %d\n%s", code, list.String())
	}
}

func TestDoctorFindsFault(t *testing.T) {
	t.Parallel()
	x := newExaminedRelay(t)
	x.dns.Load(t, fmt.Sprintf("here.test. 60 MX 20 %s\n", "elsewhere.test."))
	if code, text := x.examine(t); code != 1 || !strings.Contains(text, "WRONG  MX ") || !strings.Contains(text, "→ remove the MX records of the others") {
		t.Errorf("got code %d and\n%s", code, text)
	}
}

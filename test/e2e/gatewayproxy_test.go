//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/test/socks"
)

// proxied is a gateway in a network of its own, set up by real commands.
type proxied struct {
	*namespace
	binary string
	dir    string
	env    []string
}

func newProxied(t *testing.T, n int) *proxied {
	t.Helper()
	dir := t.TempDir()
	p := &proxied{namespace: newNamespace(t, n), binary: binary(t), dir: filepath.Join(dir, "gateway")}
	p.env = append(os.Environ(), "HOME="+dir, "RESTANTE_PASSPHRASE_FILE="+write(t, dir, "passphrase", "some words of nonsense\n"))
	return p
}

// restante prepares `restante gateway …` in the network. A --dir in args is another
// gateway's.
func (p *proxied) restante(ctx context.Context, args ...string) *exec.Cmd {
	c := p.command(ctx, p.binary, append([]string{"gateway", "--dir", p.dir}, args...)...)
	c.Env, c.Stdin = p.env, strings.NewReader("secret\n")
	return c
}

// try runs a command to its end.
func (p *proxied) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := p.restante(ctx, args...).CombinedOutput()
	return string(out), err
}

func (p *proxied) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.try(args...)
	if err != nil {
		t.Fatalf("restante gateway %s: %v\n%s", args[0], err, out)
	}
	return out
}

// run starts the gateway, and returns where a mail client sends, and what stops it.
func (p *proxied) run(t *testing.T) (ready gatewayAt, stop func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gateway.json")
	c := p.restante(t.Context(), "run", "--ready", file)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	must(t, c.Start())
	exited := make(chan error, 1)
	go func() { exited <- c.Wait() }()
	late := time.After(patience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if b, err := os.ReadFile(file); err == nil {
			must(t, json.Unmarshal(b, &ready))
			break
		}
		select {
		case <-look.C:
		case err := <-exited:
			t.Fatalf("the gateway ended: %v", err)
		case <-late:
			t.Fatal("the gateway is not ready")
		}
	}
	return ready, func() {
		must(t, c.Process.Signal(syscall.SIGTERM))
		must(t, <-exited)
	}
}

// proxyFor serves a proxy on the far end of the wire, which knows the relay by name.
func (p *proxied) proxyFor(t *testing.T, r *relay) *socks.Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", netip.AddrPortFrom(p.far, 0).String())
	must(t, err)
	p.allow(netip.MustParseAddrPort(ln.Addr().String()))
	return socks.Serve(t, ln, func(target string) string {
		host, port, err := net.SplitHostPort(target)
		switch {
		case err != nil || host != r.Domain:
			return ""
		case port == "443":
			return r.HTTPS
		}
		return net.JoinHostPort("127.0.0.1", port)
	})
}

// TestGatewayProxy: a gateway with a proxy signs up, sends, asks a stranger's domain for
// a key, reads its mail and is restored, another looks for its servers, and of all that
// not one packet goes anywhere but to the proxy.
func TestGatewayProxy(t *testing.T) {
	t.Parallel()
	r := start(t, "--signup")
	p := newProxied(t, 0)
	proxy := p.proxyFor(t, r)
	p.must(t, "init", "dcaccount:https://"+r.Domain+"/new", "--proxy", "socks5h://"+proxy.Address, "--ca", r.CAFile,
		"--listen-imap", "127.0.0.1:0", "--listen-smtp", "127.0.0.1:0")
	g, stop := p.run(t)
	p.must(t, "leakcheck")
	if err := p.submit(t, g, "somebody@stranger.example"); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("mail to somebody without a key: got %v", err)
	}
	_, imaps := hostPort(t, r.IMAPS)
	_, smtps := hostPort(t, r.SMTPS)
	p.awaitAsked(t, proxy, r.Domain, 443, imaps, smtps)
	stop()
	sheet := write(t, t.TempDir(), "sheet", p.must(t, "backup", "--sheet"))
	p.must(t, "restore", "--dir", p.dir+"-2", "--sheet", sheet, "--ca", r.CAFile)
	out, err := p.try("init", "--dir", p.dir+"-3", "me@elsewhere.example", "--password-stdin", "--proxy", "socks5h://"+proxy.Address)
	if err == nil || !strings.Contains(out, "says nowhere how its mail is reached") {
		t.Errorf("init at a provider that nobody knows: got %v\n%s", err, out)
	}
	for _, want := range []string{"openpgpkey.stranger.example:443", "stranger.example:443", "autoconfig.elsewhere.example:443"} {
		if !slices.Contains(proxy.Asked(), want) {
			t.Errorf("the proxy was not asked for %s", want)
		}
	}
	// The watch is awake: the next packet that goes astray is the test's own.
	own := netip.AddrPortFrom(p.resolver, 9)
	_, err = p.dial(t, "udp", own.String()).Write([]byte("astray"))
	must(t, err)
	if others := p.awaitOther(t); len(others) != 1 || !strings.HasSuffix(others[0], own.String()) {
		t.Errorf("packets went past the proxy: %q", others)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Logf("%d packets to the proxy", p.frames)
	if p.frames == 0 {
		t.Error("no packet to the proxy was seen")
	}
}

// TestGatewayProxyControl: the same gateway without a proxy is caught, by its question
// to DNS.
func TestGatewayProxyControl(t *testing.T) {
	t.Parallel()
	r := start(t, "--signup")
	p := newProxied(t, 1)
	p.proxyFor(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := p.restante(ctx, "init", "dcaccount:https://"+r.Domain+"/new", "--ca", r.CAFile, "--listen-imap", "127.0.0.1:0", "--listen-smtp", "127.0.0.1:0")
	must(t, c.Start())
	others := p.awaitOther(t)
	cancel()
	_ = c.Wait() // it may have given up by itself
	if want := netip.AddrPortFrom(p.resolver, 53).String(); !strings.HasSuffix(others[0], want) {
		t.Errorf("got a packet %s, want one to %s", others[0], want)
	}
}

// submit sends a mail as the mail client in the network.
func (p *proxied) submit(t *testing.T, g gatewayAt, to string) error {
	t.Helper()
	host, _ := hostPort(t, g.SMTP)
	c, err := smtp.NewClient(p.dial(t, "tcp", g.SMTP), host)
	must(t, err)
	defer c.Close()
	must(t, c.Auth(smtp.PlainAuth("", g.User, g.Password, host)))
	must(t, c.Mail(g.User))
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = w.Write([]byte("From: <" + g.User + ">\r\nTo: <" + to + ">\r\nSubject: hello\r\n\r\nhello\r\n"))
	must(t, err)
	return w.Close()
}

// awaitAsked waits until the proxy was asked for all these ports of a host.
func (p *proxied) awaitAsked(t *testing.T, proxy *socks.Proxy, host string, ports ...int) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		asked := proxy.Asked()
		missing := slices.ContainsFunc(ports, func(port int) bool { return !slices.Contains(asked, net.JoinHostPort(host, strconv.Itoa(port))) })
		if !missing {
			return
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("the proxy was asked for %q only", asked)
		}
	}
}

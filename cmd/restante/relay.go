package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/mta"
	"github.com/restante/restante/mta/queue"
	"github.com/restante/restante/push"
	"github.com/restante/restante/web"
)

// relay is everything that serves, wired together. Open it, run it, close it.
type relay struct {
	cfg *config.Config
	log *slog.Logger
	domain
	tls      *listen.TLS
	onionTLS *listen.TLS  // nil if the other has the name of the onion service, or there is none
	acme     *listen.ACME // nil unless a public authority certifies the relay
	smtp     *mta.Server
	imap     *imapd.Server
	web      *web.Server
	ports    map[string]*listen.Listener // by the names of the configuration
	admin    net.Listener
	push     *push.Notifier // nil if nobody is woken
	queue    *queue.Worker  // nil if users can't write to other domains
	dkim     *signer        // likewise

	hangups     <-chan os.Signal // each SIGHUP
	stopHangups func()

	started  time.Time
	confined bool           // to its folders, by the kernel
	outdated []config.Fault // settings that the next release refuses
}

// relayOptions is what the demonstration does differently.
type relayOptions struct {
	cleartext bool // no gate
	unlimited bool // no limits per network and account

	noFirstLogins bool // a login under a free name makes no account

	now      func() time.Time // for certificates; nil is the clock
	acmeTick <-chan time.Time // when to look whether one is due; nil is every hour

	reachPorts []int // ports that others can have tried; nil is those of mail

	names []string // further names and addresses in the relay's own certificate
}

// openRelay opens the store and every port. When it returns, clients can connect;
// they are answered once the relay runs.
func openRelay(ctx context.Context, cfg *config.Config, log *slog.Logger, getenv func(string) string, o relayOptions) (_ *relay, err error) {
	r := &relay{cfg: cfg, log: log, started: time.Now(), ports: map[string]*listen.Listener{}}
	r.hangups, r.stopHangups = reloads() // before anybody knows of the process: a SIGHUP would end it
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if _, err := r.openStore(ctx, cfg, log, getenv); err != nil {
		return nil, err
	}
	signup, err := r.openSignup(o)
	if err != nil {
		return nil, err
	}
	firstLogin := signup.FirstLogin
	if o.noFirstLogins {
		firstLogin = nil
	}
	if err := r.openPush(); err != nil {
		return nil, err
	}
	err = r.openService(cfg, log, func(o *mailbox.Options) {
		o.SignUp = firstLogin
		r.tellPush(o)
	})
	if err != nil {
		return nil, err
	}
	if r.acme, err = r.openACME(o); err != nil {
		return nil, err
	}
	r.tls, err = listen.OpenTLS(listen.TLSOptions{
		ACME: r.acme, CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile, Dir: r.tlsDir(),
		Names: append(localNames(cfg), o.names...), Log: log,
	})
	if err != nil {
		return nil, err
	}
	if err := r.openOnion(); err != nil {
		return nil, err
	}
	if err := r.openQueue(); err != nil {
		return nil, err
	}
	if err := r.makeServers(o, signup); err != nil {
		return nil, err
	}
	if err := r.listenAll(ctx, o); err != nil {
		return nil, err
	}
	if err := r.makeWeb(signup, o); err != nil {
		return nil, err
	}
	if cfg.AdminSocket != "" {
		r.admin, err = listenAdmin(cfg.AdminSocket)
	}
	return r, err
}

func (r *relay) tlsDir() string { return filepath.Join(r.cfg.DataDir, "tls") }

// caFile is the local authority's certificate, which clients must trust, or ""
// if the operator has configured a certificate.
func (r *relay) caFile() string {
	if r.tls.CA() == nil {
		return ""
	}
	return filepath.Join(r.tlsDir(), "ca.pem")
}

func (r *relay) makeServers(o relayOptions, signup *web.Signup) (err error) {
	l := &r.cfg.Limits
	gate, appendGate := mailbox.Gate(encryptedOnly), mailbox.Gate(encryptedOnly)
	if o.cleartext {
		gate, appendGate = nil, nil
	}
	if r.cfg.Policy.Append == "any" {
		appendGate = nil
	}
	options := mta.Options{
		Service: r.service, Domains: []string{r.cfg.Domain}, Hostname: r.cfg.Hostname, TLS: r.tlsConfig(),
		Gate: gate, Peer: peerOf, Log: r.log, Limits: smtpLimits(l, o), OfferBinding: r.cfg.Policy.OfferChannelBinding,
	}
	r.sendAway(&options)
	if err := r.takeIn(&options); err != nil {
		return err
	}
	r.smtp, err = mta.New(options)
	if err != nil {
		return err
	}
	r.imap = imapd.New(imapd.Options{
		Service: r.service, OfferBinding: r.cfg.Policy.OfferChannelBinding, TLS: r.tlsConfig("imap"), Gate: appendGate, Peer: peerOf, Log: r.log, Limits: imapLimits(l, o),
		Chatmail: true, Push: r.push != nil, NewAlias: signup.NewAlias, Secrets: true,
		// Delta Chat sends a mail to so many recipients at once.
		Shared: map[string]string{"/shared/vendor/deltachat/maxsmtprecipients": strconv.Itoa(l.Recipients)},
	})
	return nil
}

func peerOf(c net.Conn) mailbox.Peer { return mailbox.Peer(listen.PeerOf(c).Key()) }

// beyondReach is a limit that nobody meets, for --unlimited.
const beyondReach = 1 << 30

func smtpLimits(l *config.Limits, o relayOptions) mta.Limits {
	m := mta.Limits{
		MaxMessage: int64(l.MessageSize), MaxRecipients: l.Recipients, MaxLine: int(l.SMTPLineLength),
		PerNetwork: l.MailsPerNetwork, PerDomain: l.MailsPerDomain,
		AuthAttempts: l.AuthAttempts, MaxCommands: 60 * l.CommandRate, HandshakeTimeout: time.Duration(l.HandshakeTimeout),
		IdleTimeout: time.Duration(l.SMTPIdleTimeout), ProgressTimeout: time.Duration(l.ProgressTimeout), StopTimeout: time.Duration(l.StopTimeout),
	}
	if o.unlimited {
		m.MaxCommands, m.MaxErrors = beyondReach, beyondReach
		m.PerNetwork, m.PerDomain = beyondReach, beyondReach
	}
	return m
}

func imapLimits(l *config.Limits, o relayOptions) imapd.Limits {
	m := imapd.Limits{
		Commands: l.CommandRate, Line: int(l.IMAPCommandSize), Message: int64(l.MessageSize), PerAccount: l.ConnectionsPerAccount,
		Logins: l.AuthAttempts, Idle: time.Duration(l.IMAPIdleTimeout), Progress: time.Duration(l.ProgressTimeout), Stop: time.Duration(l.StopTimeout),
	}
	if o.unlimited {
		m.PerAccount, m.Commands = beyondReach, 0
	}
	return m
}

// port is one line of the configuration's listeners.
type port struct {
	name     string
	cfg      config.Listener
	implicit *tls.Config // nil for a plain start
}

func (r *relay) allPorts() []port {
	l := &r.cfg.Listen
	ports := []port{
		{"smtps", l.SMTPS, r.tlsConfig("smtp")},
		{"submission", l.Submission, nil},
		{"mx", l.MX, nil},
		{"imaps", l.IMAPS, r.tlsConfig("imap")},
		{"imap", l.IMAP, nil},
		{"https", l.HTTPS, r.tlsConfig(httpsProtocols(l)...)},
		{"http", l.HTTP, nil},
		{"metrics", l.Metrics, nil},
	}
	if r.acme != nil {
		ports = append(ports, port{acmePort, l.ACME, nil})
	}
	return ports
}

// listenAll opens the ports that have an address. A port that is taken or not
// permitted is an error that says what to do.
func (r *relay) listenAll(ctx context.Context, o relayOptions) error {
	sockets, err := inherited()
	if err != nil {
		return err
	}
	var faults []error
	for _, p := range r.allPorts() {
		if p.cfg.Address == "" && sockets[p.name] == nil {
			continue
		}
		ln, err := openPort(ctx, p, sockets[p.name], r.listenOptions(p, o))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		r.ports[p.name] = ln
	}
	return errors.Join(faults...)
}

// openPort opens a port, or takes over the socket that systemd has opened for it.
func openPort(ctx context.Context, p port, socket net.Listener, o listen.Options) (*listen.Listener, error) {
	if socket != nil {
		return listen.New(socket, o)
	}
	ln, err := listen.Listen(ctx, p.cfg.Address, o)
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w (ports below 1024 need the capability CAP_NET_BIND_SERVICE: the systemd unit gives it; or set listen.%s.address)", err, p.name)
	}
	return ln, err
}

func (r *relay) listenOptions(p port, o relayOptions) listen.Options {
	l := &r.cfg.Limits
	opts := listen.Options{
		Name: p.name, Network: listen.Network(p.cfg.Network), SharedLoopback: r.cfg.Onion != "", TrustedProxies: p.cfg.TrustedProxies, TLS: p.implicit,
		MaxConns: l.Connections, MaxPerNetwork: l.ConnectionsPerNetwork,
		HandshakeTimeout: time.Duration(l.HandshakeTimeout), StopTimeout: time.Duration(l.StopTimeout), Log: r.log,
	}
	if o.unlimited {
		opts.MaxPerNetwork, opts.MaxHandshakes = beyondReach, beyondReach
	}
	return opts
}

// run serves until ctx ends, and then ends cleanly.
func (r *relay) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	serve := map[string]func(context.Context, net.Listener) error{
		"smtps": r.smtp.ServeSubmission, "submission": r.smtp.ServeSubmission, "mx": r.smtp.ServeMX,
		"imaps": r.imap.Serve, "imap": r.imap.Serve, "https": r.serveHTTPS, "http": r.web.Serve,
		acmePort: r.serveACME, "metrics": r.serveMetrics,
	}
	for name, ln := range r.ports {
		group.Go(func() error { return serve[name](ctx, ln) })
	}
	if r.admin != nil {
		group.Go(func() error {
			return serveAdmin(ctx, r.admin, running{direct{r.service, r.cfg.Domain}, r}, onStore{r.store})
		})
	}
	if r.queue != nil {
		group.Go(func() error { return r.queue.Run(ctx) })
	}
	group.Go(func() error { return r.tls.Run(ctx) })
	if r.onionTLS != nil {
		group.Go(func() error { return r.onionTLS.Run(ctx) })
	}
	group.Go(func() error { return r.watchdog(ctx) })
	if r.acme != nil {
		group.Go(func() error { return r.acme.Run(ctx) })
	}
	group.Go(func() error { return r.service.KeepTerms(ctx) })
	if r.push != nil {
		group.Go(func() error { return r.push.Run(ctx, r.service) })
	}
	group.Go(func() error { r.reloadOnSignal(ctx); return nil })
	return group.Wait()
}

// reloadOnSignal looks for a new certificate and new DKIM keys at each SIGHUP.
// TLS.Run looks for certificates by itself every minute; this is for operators who
// don't want to wait.
func (r *relay) reloadOnSignal(ctx context.Context) {
	for {
		select {
		case <-r.hangups:
			r.reload()
		case <-ctx.Done():
			return
		}
	}
}

func (r *relay) reload() {
	if err := r.tls.Reload(); err != nil {
		r.log.Error("can't take up the new certificate, the old one stays", "error", err)
		return
	}
	if r.dkim != nil {
		if err := r.dkim.reload(time.Now()); err != nil {
			r.log.Error("can't take up the new DKIM keys, the old ones stay", "error", err)
			return
		}
	}
	r.log.Info("reloaded the certificate and the DKIM keys; other settings take a restart")
}

// close closes what openRelay opened.
func (r *relay) close() error {
	r.stopHangups()
	for _, ln := range r.ports {
		ln.Close()
	}
	if r.admin != nil {
		r.admin.Close() // also removes the socket file
	}
	return r.domain.close()
}

// ready says where the relay listens.
func (r *relay) ready() ready {
	at := func(name string) string {
		ln := r.ports[name]
		if ln == nil {
			return ""
		}
		return reachable(ln.Addr())
	}
	return ready{
		SMTPS: at("smtps"), Submission: at("submission"), MX: at("mx"), IMAPS: at("imaps"), IMAP: at("imap"),
		HTTPS: at("https"), HTTP: at("http"), ACME: at(acmePort), Metrics: at("metrics"),
		Inbound: r.cfg.Policy.InboundAuth,
		Domain:  r.cfg.Domain, CAFile: r.caFile(), PID: os.Getpid(),
	}
}

// reachable turns the address of a socket into one that a client on this machine
// can use: a socket on all addresses is reached at 127.0.0.1.
func reachable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return a.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String()
}

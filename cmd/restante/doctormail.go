package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/pgp"
)

// mailTimeout bounds the way of a mail to this relay, and peerTimeout to another.
const (
	mailTimeout = 30 * time.Second
	peerTimeout = 2 * time.Minute
)

// mailFindings makes an account for the test, uses it as a client does, and removes
// it, whatever came of it.
func mailFindings(ctx context.Context, e env, f *doctorFlags, cfg *config.Config) []doctor.Finding {
	a, done, err := openAccounts(ctx, f.configFile, e)
	if err != nil {
		return []doctor.Finding{mailFault("account", err)}
	}
	defer done()
	if _, runs := a.(remote); !runs {
		return []doctor.Finding{{Check: "account", State: doctor.Wrong, Text: "the relay does not run", Fix: "start it\nsystemctl start restante"}}
	}
	ref := "doctor-" + strings.ToLower(rand.Text()[:10])
	reply, err := a.do(ctx, adminRequest{Op: opNew, Ref: ref})
	if err != nil {
		return []doctor.Finding{mailFault("account", err)}
	}
	defer removeTested(ctx, e, a, ref)
	t, err := newTrial(cfg, addr.MustParse(ref+"@"+cfg.Domain), reply.Secret)
	if err != nil {
		return []doctor.Finding{mailFault("account", err)}
	}
	all := []doctor.Finding{t.toItself(ctx)}
	if f.peer != "" {
		all = append(all, t.toPeer(ctx, a, f.peer))
	}
	return all
}

// removeTested removes the account even if the doctor was interrupted.
func removeTested(ctx context.Context, e env, a accounts, ref string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailTimeout)
	defer cancel()
	if _, err := a.do(ctx, adminRequest{Op: opRemove, Ref: ref}); err != nil {
		fmt.Fprintf(e.stderr, "restante: the account %s of this test is left over: restante account remove %s: %v\n", ref, ref, err)
	}
}

func mailFault(check string, err error) doctor.Finding {
	return doctor.Finding{Check: check, State: doctor.Wrong, Text: err.Error(), Fix: "see the relay's log (journalctl -u restante), and what is wrong above"}
}

// A trial is a mail client of one account, as anybody has one.
type trial struct {
	gateway.Upstream
	key *pgp.Key
}

// newTrial connects to this machine, under the name that clients use.
func newTrial(cfg *config.Config, address addr.Address, password string) (*trial, error) {
	key, err := pgp.Generate(address, pgp.KeyOptions{})
	if err != nil {
		return nil, err
	}
	roots, err := ownRoots(cfg)
	if err != nil {
		return nil, err
	}
	u := gateway.Upstream{Address: address, Password: password, TLS: &tls.Config{ServerName: cfg.Hostname, RootCAs: roots}}
	if u.SMTPS, err = nearby(cfg.Listen.SMTPS); err != nil {
		return nil, fmt.Errorf("listen.smtps: %w", err)
	}
	if u.IMAPS, err = nearby(cfg.Listen.IMAPS); err != nil {
		return nil, fmt.Errorf("listen.imaps: %w", err)
	}
	return &trial{u, key}, nil
}

// nearby is where a listener is reached from this machine.
func nearby(l config.Listener) (string, error) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return "", errors.New("it is off, and a client needs it")
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// ownRoots trusts the relay's own authority, if that has certified it; else nil.
func ownRoots(cfg *config.Config) (*x509.CertPool, error) {
	if cfg.TLS.CertFile != "" {
		return nil, nil
	}
	pem, err := os.ReadFile(filepath.Join(cfg.DataDir, "tls", "ca.pem"))
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(pem)
	return roots, nil
}

func (t *trial) letter(to addr.Address) gateway.Letter {
	return gateway.Letter{
		From: t.Address, To: to, Date: time.Now(), Subject: "A test of the relay",
		Text: "This mail was sent by `restante doctor`. Nobody needs to answer it.\n",
	}
}

// toItself sends a mail and fetches it.
func (t *trial) toItself(ctx context.Context) doctor.Finding {
	const check = "to itself"
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	inbox, err := t.Inbox(ctx)
	if err != nil {
		return mailFault(check, err)
	}
	defer inbox.Close()
	start := time.Now()
	if err := t.send(ctx, t.Address, t.key.Cert()); err != nil {
		return mailFault(check, err)
	}
	for {
		mail, err := inbox.Next(ctx)
		if err != nil {
			return mailFault(check, fmt.Errorf("the mail was taken and does not come: %w", err))
		}
		l, result, err := gateway.OpenLetter(mail, t.key, t.key.Cert())
		if err == nil && result.Signature == pgp.GoodSignature && l.Subject == t.letter(t.Address).Subject {
			return doctor.Finding{Check: check, Text: "an encrypted mail was sent, kept, fetched and read in " + milliseconds(time.Since(start))}
		} // else it is the relay's own mail to a new account
	}
}

func (t *trial) send(ctx context.Context, to addr.Address, cert *pgp.Cert) error {
	mail, err := t.letter(to).Seal(t.key, cert)
	if err != nil {
		return err
	}
	return t.Submit(ctx, []addr.Address{to}, mail)
}

// toPeer sends a mail to another relay, and waits until the queue is rid of it. It is
// encrypted to a key that nobody has: who gets it need not read it.
func (t *trial) toPeer(ctx context.Context, a accounts, peer string) doctor.Finding {
	const check = "to a peer"
	to, err := addr.Parse(peer)
	if err != nil {
		return mailFault(check, fmt.Errorf("--peer: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	inbox, err := t.Inbox(ctx)
	if err != nil {
		return mailFault(check, err)
	}
	defer inbox.Close()
	if err := t.send(ctx, to, t.key.Cert()); err != nil {
		return mailFault(check, err)
	}
	if err := awaitQueue(ctx, a, to); err != nil {
		return doctor.Finding{Check: check, State: doctor.Wrong, Text: err.Error(), Fix: "restante queue list, and restante queue why MESSAGE, say what the other server answers"}
	}
	if report := t.report(ctx, inbox); report != "" {
		return doctor.Finding{Check: check, State: doctor.Wrong, Text: "the other server refuses it: " + report, Fix: "do what it says, or ask its operator"}
	}
	return doctor.Finding{Check: check, Text: "the other server has taken an encrypted mail"}
}

// awaitQueue waits until no mail to the address waits to go out.
func awaitQueue(ctx context.Context, a accounts, to addr.Address) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		reply, err := a.do(ctx, adminRequest{Op: opQueueList, Addresses: true})
		if err != nil {
			return err
		}
		if !strings.Contains(reply.Text, to.String()) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("it still waits in the queue")
		case <-tick.C:
		}
	}
}

// report returns what a delivery report says, if one has come.
func (t *trial) report(ctx context.Context, inbox *gateway.Inbox) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		mail, err := inbox.Next(ctx)
		if err != nil {
			return ""
		}
		if _, diagnosis, found := bytes.Cut(mail, []byte("Diagnostic-Code: ")); found {
			line, _, _ := bytes.Cut(diagnosis, []byte("\r\n"))
			return string(line)
		}
	}
}

package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/provider"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
)

// setUpAccount makes sure that the vault has an account that works. One that was made
// by sign-up is kept before anything else is tried, because its password can't be
// shown again.
func setUpAccount(ctx context.Context, e env, v *vault.Vault, s gatewaySetup) (gateway.Account, error) {
	account, err := gateway.LoadAccount(v)
	known := err == nil
	if err != nil && !errors.Is(err, gateway.ErrNoIdentity) {
		return account, err
	}
	if known && account.IMAPS != "" && !s.changesAccount() {
		return account, sameAddress(account, s.code)
	}
	if account.Proxy, err = s.proxyOr(account.Proxy); err != nil {
		return account, err
	}
	f, ca, err := s.finder(account.Proxy)
	if err != nil {
		return account, err
	}
	account.CA = orElse(ca, account.CA)
	if account, err = s.login(ctx, e, v, f, account); err != nil {
		return account, explainCertificate(err)
	}
	if account, err = s.servers(ctx, e, f, account); err != nil {
		return account, err
	}
	u, err := account.Upstream()
	if err != nil {
		return account, err
	}
	say(e, "logging in at %s and %s", account.IMAPS, account.SMTPS)
	if err := u.Check(ctx); err != nil {
		return account, explainLogin(err)
	}
	return account, gateway.SaveAccount(v, account)
}

// changesAccount reports whether flags say something about an account that is set up.
func (s gatewaySetup) changesAccount() bool {
	return s.passwordStdin || s.imap != "" || s.smtp != "" || s.user != "" || s.name != "" || s.caFile != "" || s.proxy != ""
}

// sameAddress refuses to put another account in the place of the one that is there.
func sameAddress(account gateway.Account, text string) error {
	if text == "" {
		return nil
	}
	code, err := provider.Parse(text)
	if err != nil {
		return err
	}
	if code.SignUp != nil {
		return nil // the command is repeated: what was made the first time stays
	}
	asked := code.Address
	if code.Login != nil {
		asked = code.Login.Address
	}
	have, err := addr.Parse(account.Address)
	if err != nil {
		return err
	}
	if !asked.Equal(have) {
		return fmt.Errorf("this gateway is for %s already: give another folder with --dir for a second account", account.Address)
	}
	return nil
}

// proxyUsage explains the flag --proxy.
const proxyUsage = "reach the provider and all others through the SOCKS proxy at `URL`, socks5h://IP:PORT, without DNS; none ends that"

// proxyOr returns the proxy that a flag names, else the one that is kept.
func (s gatewaySetup) proxyOr(kept string) (string, error) {
	switch s.proxy {
	case "":
		return kept, nil
	case "none":
		return "", nil
	}
	if _, err := gateway.ProxyDialer(s.proxy); err != nil {
		return "", fmt.Errorf("--proxy: %w", err)
	}
	return s.proxy, nil
}

// finder returns what asks providers, through a proxy if there is one, and the
// authority to trust.
func (s gatewaySetup) finder(proxy string) (provider.Finder, []byte, error) {
	f := provider.Finder{Resolver: net.DefaultResolver}
	dial, err := gateway.ProxyDialer(proxy)
	if err != nil {
		return f, nil, err
	}
	if dial != nil {
		f.Resolver = nil // DNS does not go through it
	}
	if s.caFile == "" {
		f.Client = provider.NewClient(nil, dial)
		return f, nil, nil
	}
	ca, err := readSmall(s.caFile, 1<<20)
	if err != nil {
		return f, nil, fmt.Errorf("--ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return f, nil, errors.New("--ca: there is no certificate in PEM form in the file")
	}
	f.Client = provider.NewClient(roots, dial)
	return f, ca, nil
}

// login fills in the address and the password, if they are not known or to be changed.
func (s gatewaySetup) login(ctx context.Context, e env, v *vault.Vault, f provider.Finder, account gateway.Account) (gateway.Account, error) {
	switch {
	case account.Address == "":
		return s.fromCode(ctx, e, v, f, account)
	case account.IMAPS == "":
		return account, nil // signed up, and interrupted before the servers were found
	}
	if err := sameAddress(account, s.code); err != nil {
		return account, err
	}
	if code, err := provider.Parse(s.code); err == nil && code.Login != nil {
		return withLogin(account, *code.Login), nil
	}
	var err error
	if s.passwordStdin {
		account.Password, err = s.password(e)
	}
	return account, err
}

// fromCode gets the address and the password, by whatever the user has.
func (s gatewaySetup) fromCode(ctx context.Context, e env, v *vault.Vault, f provider.Finder, account gateway.Account) (gateway.Account, error) {
	text := s.code
	if text == "" {
		var err error
		if text, err = promptLine(e, "Address of your account, or the link or code of a relay: "); err != nil {
			return account, err
		}
	}
	code, err := provider.Parse(text)
	if err != nil {
		return account, err
	}
	switch {
	case code.SignUp != nil:
		l, err := f.SignUp(ctx, *code.SignUp)
		if err != nil {
			return account, err
		}
		account = withLogin(account, l)
		return account, gateway.SaveAccount(v, account)
	case code.Login != nil:
		return withLogin(account, *code.Login), nil
	}
	account.Address = code.Address.String()
	account.Password, err = s.password(e)
	return account, err
}

func (s gatewaySetup) password(e env) (string, error) {
	if s.passwordStdin {
		lines, err := readSecrets(e.stdin, 1)
		return lines[0], err
	}
	text, err := promptSecret(e, "Password of the account: ")
	if err == nil && text == "" {
		err = errors.New("no password was given")
	}
	return text, err
}

func withLogin(account gateway.Account, l provider.Login) gateway.Account {
	account.Address, account.Password = l.Address.String(), l.Password
	if l.Servers != nil {
		account = withServers(account, *l.Servers)
	}
	return account
}

func withServers(account gateway.Account, s provider.Servers) gateway.Account {
	account.IMAPS, account.IMAPStartTLS = s.IMAP.HostPort(), s.IMAP.StartTLS
	account.SMTPS, account.SMTPStartTLS = s.SMTP.HostPort(), s.SMTP.StartTLS
	account.User = s.User
	return account
}

// servers fills in what flags say, and finds the rest.
func (s gatewaySetup) servers(ctx context.Context, e env, f provider.Finder, account gateway.Account) (gateway.Account, error) {
	if account.IMAPS == "" && (s.imap == "" || s.smtp == "") {
		a, err := addr.Parse(account.Address)
		if err != nil {
			return account, err
		}
		found, err := f.Find(ctx, a)
		if err != nil {
			return account, err
		}
		if found.Doubtful {
			if err := confirmServers(e, a, found); err != nil {
				return account, err
			}
		}
		account = withServers(account, found)
	}
	account, err := s.namedServers(account)
	account.User, account.Name = orElse(s.user, account.User), orElse(s.name, account.Name)
	return account, err
}

func (s gatewaySetup) namedServers(account gateway.Account) (gateway.Account, error) {
	if s.imap != "" {
		server, err := provider.ParseServer(s.imap, 993)
		if err != nil {
			return account, fmt.Errorf("--imap: %w", err)
		}
		account.IMAPS, account.IMAPStartTLS = server.HostPort(), server.StartTLS
	}
	if s.smtp != "" {
		server, err := provider.ParseServer(s.smtp, 465)
		if err != nil {
			return account, fmt.Errorf("--smtp: %w", err)
		}
		account.SMTPS, account.SMTPStartTLS = server.HostPort(), server.StartTLS
	}
	return account, nil
}

// confirmServers asks before the password goes to servers that only DNS has named.
func confirmServers(e env, a addr.Address, found provider.Servers) error {
	say(e, "DNS, which nothing protects, says that mail of %s is at %s and %s.", a.Domain(), found.IMAP, found.SMTP)
	err := confirm(e, "Are these your provider's? Your password goes there. Type yes to go on: ")
	if errors.Is(err, errNoTerminal) {
		return fmt.Errorf("if these are right, say so with --imap %s --smtp %s", found.IMAP.HostPort(), found.SMTP.HostPort())
	}
	return err
}

// explainLogin says what to do about a login that failed.
func explainLogin(err error) error {
	if errors.Is(err, gateway.ErrPassword) {
		return fmt.Errorf("%w: nothing was kept; run this again", err)
	}
	if explained := explainCertificate(err); explained != err {
		return explained
	}
	return fmt.Errorf("%w: if the servers are others, name them with --imap and --smtp", err)
}

// explainCertificate says what to do about a certificate that is not trusted. Other
// errors it returns as they are.
func explainCertificate(err error) error {
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		return err
	}
	return fmt.Errorf("the provider's certificate is signed by nobody we trust: if the provider gave you its authority's certificate, name it with --ca (%w)", err)
}

// promptLine asks for a line that may be seen.
func promptLine(e env, prompt string) (string, error) {
	f, ok := e.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", errors.New("there is no terminal to ask at: give the address or the code behind `restante gateway init`")
	}
	fmt.Fprint(e.stderr, prompt)
	line, err := bufio.NewReader(f).ReadString('\n')
	return strings.TrimSpace(line), err
}

// orElse returns a, or b where a is empty.
func orElse[T string | []byte](a, b T) T {
	if len(a) > 0 {
		return a
	}
	return b
}

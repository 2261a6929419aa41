//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
	"howett.net/plist"
)

// usePhone is a phone: `phone READYFILE LINK` opens a link with the camera, installs the
// profile and uses the account that is in it; `phone READYFILE` uses it again. With ! the
// gateway must refuse the phone.
func usePhone(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: phone READYFILE [LINK]")
	}
	if len(args) == 2 {
		g := gatewayAt(ts, args[0])
		ts.Check(os.WriteFile(ts.MkAbs("profile"), fetchProfile(ts, g.Phones.CA, args[1]), 0o600))
	}
	got := readProfile(ts, ts.ReadFile("profile"))
	err := got.use(gatewayAt(ts, args[0]))
	var refused *smtp.SMTPError
	switch {
	case !neg:
		ts.Check(err)
	case err == nil:
		ts.Fatalf("phone: it is let in")
	case !errors.As(err, &refused) && !strings.Contains(err.Error(), "AUTHENTICATIONFAILED"):
		ts.Fatalf("phone: it fails by something else: %v", err)
	}
}

// fetchProfile opens the page of a link, and its profile twice: the second time it must
// be gone.
func fetchProfile(ts *testscript.TestScript, ca, link string) []byte {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		ts.Fatalf("phone: the ready file has no authority")
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	get := func(url string, want int) []byte {
		resp, err := client.Get(url)
		ts.Check(err)
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		ts.Check(err)
		if resp.StatusCode != want {
			ts.Fatalf("phone: %s: got %d, want %d", url, resp.StatusCode, want)
		}
		return b
	}
	if page := get(link, http.StatusOK); !strings.Contains(string(page), "restante.mobileconfig") {
		ts.Fatalf("phone: the page has no profile:\n%s", page)
	}
	profile := get(link+"restante.mobileconfig", http.StatusOK)
	get(link+"restante.mobileconfig", http.StatusGone)
	return profile
}

// phoneAccount is what a phone makes of a profile.
type phoneAccount struct {
	roots *x509.CertPool

	Type         string `plist:"PayloadType"`
	Content      []byte `plist:"PayloadContent"`
	IMAPHost     string `plist:"IncomingMailServerHostName"`
	IMAPPort     int    `plist:"IncomingMailServerPortNumber"`
	IMAPTLS      bool   `plist:"IncomingMailServerUseSSL"`
	IMAPUser     string `plist:"IncomingMailServerUsername"`
	IMAPPassword string `plist:"IncomingPassword"`
	SMTPHost     string `plist:"OutgoingMailServerHostName"`
	SMTPPort     int    `plist:"OutgoingMailServerPortNumber"`
	SMTPTLS      bool   `plist:"OutgoingMailServerUseSSL"`
	SMTPUser     string `plist:"OutgoingMailServerUsername"`
	SMTPPassword string `plist:"OutgoingPassword"`
}

func readProfile(ts *testscript.TestScript, text string) phoneAccount {
	var p struct {
		Content []phoneAccount `plist:"PayloadContent"`
	}
	_, err := plist.Unmarshal([]byte(text), &p)
	ts.Check(err)
	var account phoneAccount
	roots := x509.NewCertPool()
	for _, c := range p.Content {
		switch c.Type {
		case "com.apple.security.root":
			cert, err := x509.ParseCertificate(c.Content)
			ts.Check(err)
			roots.AddCert(cert)
		case "com.apple.mail.managed":
			account = c
		}
	}
	if !account.IMAPTLS || !account.SMTPTLS {
		ts.Fatalf("phone: the profile has no account with TLS: %+v", account)
	}
	account.roots = roots
	return account
}

// use reads and sends with the account.
func (p phoneAccount) use(g gatewayReady) error {
	trust := &tls.Config{RootCAs: p.roots, ServerName: p.IMAPHost}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", net.JoinHostPort(p.IMAPHost, fmt.Sprint(p.IMAPPort)), trust)
	if err != nil {
		return err
	}
	c := imapclient.New(conn, nil)
	defer c.Close()
	if err := c.Login(p.IMAPUser, p.IMAPPassword).Wait(); err != nil {
		return err
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return err
	}
	s, err := smtp.DialTLS(net.JoinHostPort(p.SMTPHost, fmt.Sprint(p.SMTPPort)), trust)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Auth(sasl.NewPlainClient("", p.SMTPUser, p.SMTPPassword)); err != nil {
		return err
	}
	mail := strings.NewReader("From: <" + g.User + ">\r\nTo: <" + g.User + ">\r\nSubject: From the phone\r\n\r\nHere I am.\r\n")
	return s.SendMail(g.User, []string{g.User}, mail)
}

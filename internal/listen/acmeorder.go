package listen

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// obtain orders a certificate for one name, keeps it durably, and serves it.
func (a *ACME) obtain(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, acmeTimeout)
	defer cancel()
	chain, err := a.order(ctx, name)
	if err != nil {
		return plainly(err)
	}
	cert, err := chainOf(chain, a.key)
	if err != nil {
		return fmt.Errorf("the authority's answer: %w", err)
	}
	if err := cert.Leaf.VerifyHostname(name); err != nil {
		return fmt.Errorf("the authority's answer: %w", err)
	}
	if err := writeFile(a.chainFile(name), chain); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names[name].cert = cert
	return nil
}

// order returns the chain in PEM. An account is found by its key, or made: it
// has no address to write to (RFC 8555, 7.3).
func (a *ACME) order(ctx context.Context, name string) ([]byte, error) {
	client := acmez.Client{
		Client: &acme.Client{Directory: a.opts.Directory, HTTPClient: a.client, UserAgent: "restante", PollTimeout: acmeTimeout},
		ChallengeSolvers: map[string]acmez.Solver{
			acme.ChallengeTypeHTTP01:    &a.challenges,
			acme.ChallengeTypeTLSALPN01: &a.challenges,
		},
	}
	account, err := client.NewAccount(ctx, acme.Account{TermsOfServiceAgreed: true, PrivateKey: a.account})
	if err != nil {
		return nil, err
	}
	chains, err := client.ObtainCertificateForSANs(ctx, account, a.key, []string{name})
	if err != nil {
		return nil, err
	}
	if len(chains) == 0 {
		return nil, errors.New("the authority issued nothing")
	}
	return chains[0].ChainPEM, nil
}

// plainly turns the authority's refusal into the sentence that it wrote for people.
func plainly(err error) error {
	var problem acme.Problem
	if !errors.As(err, &problem) {
		return err
	}
	for _, sub := range problem.Subproblems {
		if sub.Detail != "" {
			return fmt.Errorf("the authority refused: %s", sub.Detail)
		}
	}
	return fmt.Errorf("the authority refused: %s", problem.Detail)
}

// chainOf makes a certificate of a chain in PEM, and holds it to the key.
func chainOf(chain []byte, key crypto.Signer) (*tls.Certificate, error) {
	cert := &tls.Certificate{PrivateKey: key}
	for {
		var block *pem.Block
		if block, chain = pem.Decode(chain); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			cert.Certificate = append(cert.Certificate, block.Bytes)
		}
	}
	if len(cert.Certificate) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	var err error
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return nil, err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.Leaf.PublicKey) {
		return nil, errors.New("the certificate is for another key")
	}
	return cert, nil
}

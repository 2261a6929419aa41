package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// The demonstration keeps the passwords of its accounts, so that a second run on
// the same folder has the same ones. No relay does that. They are in a file that
// is sealed under the relay key, because nothing in the folder may be readable.
const demoAccountsFile = "demo-accounts"

// demoAccounts returns n accounts: those of an earlier run, and new ones.
func demoAccounts(ctx context.Context, r *relay, dir string, n int) ([]readyAccount, error) {
	secret, _, err := loadRelaySecret(r.cfg.RelayKeyFile, true)
	if err != nil {
		return nil, err
	}
	key, file := seal.NewRelayKey(secret, r.store.ID()), filepath.Join(dir, demoAccountsFile)
	people, err := loadDemoAccounts(key, file)
	if err != nil {
		return nil, err
	}
	if len(people) >= n {
		return people[:n], nil
	}
	for len(people) < n {
		a, err := makeDemoAccount(ctx, r)
		if err != nil {
			return nil, err
		}
		people = append(people, a)
	}
	return people, saveDemoAccounts(key, file, people)
}

func makeDemoAccount(ctx context.Context, r *relay) (readyAccount, error) {
	a, err := addr.Parse(addr.NewLocal(nil) + "@" + r.cfg.Domain)
	if err != nil {
		return readyAccount{}, err
	}
	c, err := r.service.CreateAccount(ctx, a, mailbox.NewAccountOptions{})
	if err != nil {
		return readyAccount{}, fmt.Errorf("make an account: %w", err)
	}
	return readyAccount{Address: c.Address.String(), Password: c.Secret}, nil
}

func loadDemoAccounts(key *seal.RelayKey, file string) ([]readyAccount, error) {
	sealed, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("accounts of the demonstration: %w", err)
	}
	b, err := key.Open(seal.Directory, []byte(demoAccountsFile), sealed)
	if err != nil {
		return nil, fmt.Errorf("accounts of the demonstration: %w", err)
	}
	var people []readyAccount
	return people, json.Unmarshal(b, &people)
}

func saveDemoAccounts(key *seal.RelayKey, file string, people []readyAccount) error {
	b, err := json.Marshal(people)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, key.Seal(seal.Directory, []byte(demoAccountsFile), b), 0o600); err != nil {
		return fmt.Errorf("accounts of the demonstration: %w", err)
	}
	return nil
}

func splitPort(hostport string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport, ""
	}
	return host, port
}

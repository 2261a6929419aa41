package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway/vault"
)

// service is what starts a gateway at login.
type service struct {
	program, dir   string
	passphraseFile string // "" where the keyring opens the vault
}

func gatewayService(e env, h *gatewayHome) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Start the gateway at login: a systemd user unit, on other systems what they have for it",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			s, err := h.service()
			if err != nil {
				return err
			}
			path, content, next, err := serviceFile(s, e.getenv)
			if err != nil {
				return fmt.Errorf("service: %w", err)
			}
			if show {
				_, err := fmt.Fprint(e.stdout, content)
				return err
			}
			if err := writeService(path, content); err != nil {
				return fmt.Errorf("service: %w", err)
			}
			fmt.Fprintln(e.stdout, path)
			fmt.Fprintf(e.stderr, "restante: written. It starts at your next login, or now with\n  %s\n", next)
			return nil
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print it, and write nothing")
	return cmd
}

// service describes this gateway. It refuses one that could not start by itself.
func (h *gatewayHome) service() (service, error) {
	dir, err := h.dir()
	if err != nil {
		return service{}, err
	}
	if _, err := os.Stat(vaultDir(dir)); errors.Is(err, fs.ErrNotExist) {
		return service{}, vault.ErrNone
	}
	program, err := os.Executable()
	if err != nil {
		return service{}, fmt.Errorf("service: %w", err)
	}
	s := service{program: program, dir: dir, passphraseFile: h.env.getenv(passphraseFileEnv)}
	if s.passphraseFile != "" {
		if s.passphraseFile, err = filepath.Abs(s.passphraseFile); err != nil {
			return service{}, fmt.Errorf("service: %w", err)
		}
		return s, nil
	}
	byKeyring, err := vault.InKeyring(vaultDir(dir))
	if err != nil {
		return service{}, err
	}
	if !byKeyring {
		return service{}, errors.New("nobody can type the passphrase when the gateway starts by itself: put it into a file that only you can read, " +
			"and name that in " + passphraseFileEnv + " when you run this again")
	}
	return s, nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/restante/restante/internal/config"
)

// letsEncrypt is the authority that setup proposes.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// backupFolder is the one of the configuration's confine.folders that needs no setting.
const backupFolder = "/var/backups/restante"

// setupFlags is what the operator says on the command line; the rest is found out or
// asked.
type setupFlags struct {
	configFile, dataDir, unitFile string
	hostname, operator, acme      string
	ips                           []string
	yes                           bool
}

func setupCommand(e env) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup [DOMAIN]",
		Short: "Make a relay of this machine: configuration, key, service, DNS, first account",
		Long: "Make a relay of this machine, step by step: write the configuration, make the data folder and the relay key, install\n" +
			"the service, print the DNS records and check them, start the relay, make the operator's account. What is there already\n" +
			"is kept, so that it can be run again until all is well. Nothing is fetched: a network is needed for the DNS alone.",
		Args: atMost(1, "one domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := &setup{e: e, f: f, in: bufio.NewReader(e.stdin), asks: !f.yes && isTerminalInput(e)}
			return s.run(cmd.Context(), strings.Join(args, ""))
		},
	}
	cmd.Flags().StringVar(&f.configFile, "config", defaultConfigFile, "configuration `FILE` to write")
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "/var/lib/restante", "`FOLDER` for everything that the relay keeps")
	cmd.Flags().StringVar(&f.unitFile, "unit", "/etc/systemd/system/restante.service", "systemd unit `FILE` to write where no package has brought one; empty for none")
	cmd.Flags().StringVar(&f.hostname, "hostname", "", "the `NAME` of this machine; default is the domain")
	cmd.Flags().StringVar(&f.operator, "operator", "operator", "the `NAME` of your account, which gets mail to postmaster and abuse")
	cmd.Flags().StringVar(&f.acme, "acme", letsEncrypt, "`URL` of the authority that certifies the relay, to whose terms you agree; empty for none")
	cmd.Flags().StringArrayVar(&f.ips, "ip", nil, "a public `ADDRESS` of this machine, if it can't know it (behind NAT); may be repeated")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "ask nothing")
	return cmd
}

func isTerminalInput(e env) bool {
	f, ok := e.stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// setup is one run. Each step keeps what it finds, and returns what it did.
type setup struct {
	e    env
	f    setupFlags
	in   *bufio.Reader
	asks bool // there is somebody to answer

	cfg *config.Config
}

func (s *setup) run(ctx context.Context, domain string) error {
	if err := s.settle(ctx, domain); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"configuration", s.writeConfig}, {"data folder", s.makeFolder}, {"relay key", s.makeKey}, {"service", s.writeUnit},
		{"DNS", s.showDNS}, {"relay", s.start}, {"account", s.makeAccount},
	} {
		text, err := step.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(s.e.stdout, "%-14s %s\n", step.name, wrapText(text, 15, terminalWidth(s.e.stdout)))
	}
	s.sayNext()
	return nil
}

// sayNext says what is left to do by hand.
func (s *setup) sayNext() {
	config := ""
	if s.f.configFile != defaultConfigFile {
		config = " --config " + s.f.configFile
	}
	fmt.Fprintf(s.e.stdout, "\nNext\n  Copy %s to another machine: without it the store is lost.\n", s.keyFile())
	fmt.Fprintf(s.e.stdout, "  restante doctor --mail --key-copied%s\n  says what is still wrong, and how to mend it.\n", config)
}

// settle finds out or asks what the command line does not say.
func (s *setup) settle(ctx context.Context, domain string) error {
	if cfg, err := config.Load(s.f.configFile); err == nil {
		if domain != "" && domain != cfg.Domain {
			return usageError{fmt.Errorf("%s is for %s: to set up another relay, name another file with --config", s.f.configFile, cfg.Domain)}
		}
		s.cfg = cfg
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return err // a faulty configuration is the operator's to mend
	}
	domain, err := s.questions(ctx, domain)
	if err != nil {
		return err
	}
	cfg, err := config.Parse(strings.NewReader(s.configText(domain)))
	s.cfg = cfg
	return err
}

// configText is a configuration that says only what differs from the defaults.
func (s *setup) configText(domain string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by restante setup on %s. `restante config show` prints every setting.\n", time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "domain = %q\n", domain)
	if s.f.hostname != "" && s.f.hostname != domain {
		fmt.Fprintf(&b, "hostname = %q\n", s.f.hostname)
	}
	if s.f.dataDir != config.Default().DataDir {
		fmt.Fprintf(&b, "data_dir = %q\n", s.f.dataDir)
	}
	if s.f.acme != "" {
		fmt.Fprintf(&b, "\n[tls.acme]\ndirectory = %q\n", s.f.acme)
	}
	fmt.Fprintf(&b, "\n[policy]\noperator = %q\n", s.f.operator+"@"+domain)
	return b.String()
}

func (s *setup) writeConfig(context.Context) (string, error) {
	if _, err := os.Stat(s.f.configFile); err == nil {
		return s.f.configFile + " is there already, and is kept", nil
	}
	if err := os.MkdirAll(filepath.Dir(s.f.configFile), 0o755); err != nil {
		return "", err
	}
	f, err := os.OpenFile(s.f.configFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(s.configText(s.cfg.Domain))
	return s.f.configFile + " written", errors.Join(err, f.Sync(), f.Close())
}

func (s *setup) makeFolder(context.Context) (string, error) {
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return "", err
	}
	if err := giveToRelay(s.cfg.DataDir); err != nil {
		return "", err
	}
	return s.cfg.DataDir + s.makeBackupFolder(), nil
}

// makeBackupFolder makes the folder that backups of a running relay go to, for the relay
// of this machine and as root. A relay that has another folder, or none, is as good.
func (s *setup) makeBackupFolder() string {
	ours := s.cfg.DataDir == config.Default().DataDir && slices.Contains(s.cfg.Confine.Folders, backupFolder)
	if !ours || os.Geteuid() != 0 {
		return ""
	}
	if err := os.Mkdir(backupFolder, 0o700); err != nil {
		return "" // it is there, or backups have no place here
	}
	if err := giveToRelay(backupFolder); err != nil {
		return ""
	}
	return ", and " + backupFolder + " for backups"
}

func (s *setup) keyFile() string {
	file, err := s.cfg.RelayKeyPath(s.e.getenv)
	if err != nil {
		return s.cfg.RelayKeyFile // systemd hands it over
	}
	return file
}

func (s *setup) makeKey(context.Context) (string, error) {
	file, err := s.cfg.RelayKeyPath(s.e.getenv)
	if err != nil {
		return "comes from systemd", nil
	}
	kind, path, err := s.cfg.StoreTarget()
	if err != nil {
		return "", err
	}
	_, statErr := os.Stat(path)
	_, made, err := loadRelaySecret(file, kind == config.SQLite && statErr == nil)
	if err != nil {
		return "", err
	}
	if !made {
		return file + " is there already", nil
	}
	return file + " made", giveToRelay(file)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox/seal"
)

func serveCommand(e env) *cobra.Command {
	var configFile, readyFile string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a relay",
		Long: "Run a relay until SIGTERM or SIGINT. SIGHUP takes up a changed certificate, which otherwise takes up to a minute, and\n" +
			"new DKIM keys. All other settings are read at the start.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), e, configFile, readyFile)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE`")
	cmd.Flags().StringVar(&readyFile, "ready", "", "write the addresses to `FILE` as JSON once every port listens")
	return cmd
}

func serve(ctx context.Context, e env, configFile, readyFile string) error {
	if seal.Unsealed && !servesUnsealed {
		return errors.New("this program was built with the tag unsealed, for tests: it would keep all mail in clear; build it without")
	}
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	if err := clobberFreed(e.getenv); err != nil {
		return err
	}
	log := newLog(e.stderr, cfg.Log)
	harden(log)
	giveHeapRoom(e.getenv)
	r, err := openRelay(ctx, cfg, log, e.getenv, relayOptions{})
	if err != nil {
		return err
	}
	defer r.close()
	if r.outdated, err = config.Outdated(configFile); err != nil {
		return err
	}
	warnOfOutdated(log, r.outdated)
	say := r.ready()
	say.Gate = true
	for name, ln := range r.ports {
		log.Info("listening", "for", name, "port", ln.Addr().(*net.TCPAddr).Port)
	}
	if ca := r.caFile(); ca != "" {
		log.Info("no certificate is configured: the relay's own authority issues one; clients must trust it", "ca_file", ca)
	}
	r.missOperator(ctx)
	if readyFile != "" {
		if err := say.write(readyFile); err != nil {
			return err
		}
	}
	if r.confined, err = confine(cfg, log); err != nil {
		return err
	}
	if err := tellReady(); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = tellStopping() }) // systemd sees the end in any case
	if err := r.run(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.Info("stopped")
	return nil
}

// warnOfOutdated says which settings the next release refuses.
func warnOfOutdated(log *slog.Logger, old []config.Fault) {
	for _, f := range old {
		log.Warn("a setting is outdated", "setting", f.Key, "problem", f.Problem)
	}
}

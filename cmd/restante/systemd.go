package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// What systemd is told (sd_notify(3)). Without systemd each of these does nothing.

// tellReady says that every port listens, and tellStopping that connections end.
func tellReady() error    { return tell(daemon.SdNotifyReady) }
func tellStopping() error { return tell(daemon.SdNotifyStopping) }

func tell(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// watchdog tells systemd that the relay is well, twice in the time that the unit's
// WatchdogSec= allows, as long as the store writes. A relay whose store hangs is
// then started anew.
func (r *relay) watchdog(ctx context.Context) error {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	if within == 0 {
		return nil
	}
	ticker := time.NewTicker(within / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if r.well(ctx) != nil {
			continue // logged there
		}
		if err := tell(daemon.SdNotifyWatchdog); err != nil {
			r.log.Error("watchdog", "error", err)
		}
	}
}

// inherited returns the sockets that systemd has opened for the relay, by the names
// that FileDescriptorName= gives them: those of the listeners.
func inherited() (map[string]net.Listener, error) {
	byName, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("sockets of systemd: %w", err)
	}
	sockets := map[string]net.Listener{}
	for name, lns := range byName {
		if len(lns) != 1 || lns[0] == nil {
			return nil, fmt.Errorf("systemd hands over %d sockets named %q: give each listener one, with FileDescriptorName=", len(lns), name)
		}
		sockets[name] = lns[0]
	}
	return sockets, nil
}

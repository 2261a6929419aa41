package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"github.com/restante/restante/internal/config"
)

// leastLandlock is the first version of Landlock under which a relay can make backups:
// they link files of one folder into another (Linux 5.19).
const leastLandlock = 2

// canConfine reports whether the kernel can confine a relay.
func canConfine() bool {
	version, err := ll.LandlockGetABIVersion()
	return err == nil && version >= leastLandlock
}

// confine has the kernel refuse to this process, for good, every file that the relay
// doesn't need from here on, and reports whether it does. Files that are open stay so;
// networks and the sockets of other programs are not touched. A kernel that can't do
// it is no error, and leaves one line in the log.
func confine(cfg *config.Config, log *slog.Logger) (bool, error) {
	if !cfg.Confine.Enabled {
		return false, nil
	}
	if !canConfine() {
		log.Warn("this kernel has no Landlock of Linux 5.19, so the relay is not confined to its folders: it can open what its user can")
		return false, nil
	}
	// The system's certificates are read once, at first use, and from many places.
	if _, err := x509.SystemCertPool(); err != nil {
		log.Warn("can't read the certificates that this system trusts", "error", err)
	}
	r := reachOf(cfg)
	err := landlock.V8.BestEffort().RestrictPaths(
		landlock.RWDirs(r.write...).WithRefer().IgnoreIfMissing(),
		landlock.RODirs(r.read...).IgnoreIfMissing(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
		landlock.ROFiles("/dev/urandom").IgnoreIfMissing(),
	)
	if err != nil {
		return false, fmt.Errorf("confine the relay to its folders (confine.enabled = false does without): %w", err)
	}
	log.Info("confined to the relay's own folders; what is outside can't be opened any more")
	return true, nil
}

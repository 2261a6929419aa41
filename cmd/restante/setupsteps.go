package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/mta/queue"
)

// unitText is the systemd unit, as the package brings it.
//
//go:embed restante.service
var unitText string

// packageUnit is where a package puts the unit.
const packageUnit = "/lib/systemd/system/restante.service"

// relayUser is the user that the unit runs the relay as.
const relayUser = "restante"

// dnsTimeout bounds one look at the DNS, and startTimeout the start of the relay.
const (
	dnsTimeout   = 30 * time.Second
	startTimeout = time.Minute
)

// giveToRelay gives files to the relay's user, if there is one and we may: else
// whoever runs this is the relay's user.
func giveToRelay(path string) error {
	u, err := user.Lookup(relayUser)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil // a system whose users have no numbers
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

// systemdRuns tells whether systemd is the init of this machine (sd_booted(3)).
func systemdRuns() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

func (s *setup) writeUnit(context.Context) (string, error) {
	if _, err := os.Stat(packageUnit); err == nil {
		return "the package has brought " + packageUnit, nil
	}
	if s.f.unitFile == "" || !systemdRuns() && s.f.unitFile == setupCommand(s.e).Flag("unit").DefValue {
		return "no systemd here: have something start `restante serve --config " + s.f.configFile + "`", nil
	}
	if _, err := os.Stat(s.f.unitFile); err == nil {
		return s.f.unitFile + " is there already, and is kept", nil
	}
	text, err := s.unit()
	if err != nil {
		return "", err
	}
	return s.f.unitFile + " written", os.WriteFile(s.f.unitFile, []byte(text), 0o644)
}

// unit is the unit for this program and configuration.
func (s *setup) unit() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(unitText, "/usr/bin/restante", self)
	text = strings.ReplaceAll(text, defaultConfigFile, s.f.configFile)
	if s.cfg.DataDir != "/var/lib/"+relayUser {
		text = strings.Replace(text, "StateDirectory="+relayUser, "ReadWritePaths="+s.cfg.DataDir, 1)
	}
	return text, nil
}

// showDNS prints the records and checks them, again and again as long as the operator
// wants. A DNS that is not ready stops nothing: records take their time.
func (s *setup) showDNS(ctx context.Context) (string, error) {
	ips, err := parseAddresses(s.f.ips)
	if err != nil {
		return "", err
	}
	if len(ips) == 0 {
		ips = doctor.MachineAddresses()
	}
	z, err := newZone(s.cfg, ips)
	if err != nil {
		return "", err
	}
	if err := giveToRelay(s.cfg.DataDir); err != nil { // keys for DKIM were made
		return "", err
	}
	fmt.Fprintf(s.e.stdout, "\nPublish these records where the DNS of %s is kept:\n\n%s\n", s.cfg.Domain, z)
	for {
		missing := s.checkDNS(ctx)
		if missing == 0 {
			return "all records are there", nil
		}
		answer, err := s.ask(ctx, fmt.Sprintf("%d records are missing or wrong. Enter goes on, \"again\" checks again", missing), "go on", oneWord("go on", "again"))
		if err != nil {
			return "", err
		}
		if answer != "again" {
			return fmt.Sprintf("%d records are missing or wrong so far: `restante doctor` says which", missing), nil
		}
	}
}

func (s *setup) checkDNS(ctx context.Context) (missing int) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	r := &doctor.Resolver{Servers: s.cfg.DNS.Servers, Timeout: 2 * time.Second}
	if len(r.Servers) == 0 {
		r.Servers = queue.SystemServers()
	}
	ips, _ := parseAddresses(s.f.ips) // parsed before
	for _, f := range dnsFindings(ctx, r, s.cfg, ips) {
		if f.State != doctor.OK {
			missing++
			fmt.Fprintf(s.e.stderr, "  %-5s  %-17s %s\n", f.State, f.Check, wrapText(f.Text, 27, terminalWidth(s.e.stderr)))
		}
	}
	return missing
}

// start has systemd start the relay, now and at every boot.
func (s *setup) start(ctx context.Context) (string, error) {
	if !systemdRuns() {
		return "start it: restante serve --config " + s.f.configFile, nil
	}
	if os.Geteuid() != 0 {
		return "start it as root: systemctl enable --now restante", nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "restante"}, {"restart", "restante"}} {
		out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("systemctl %s: %w: %s: see journalctl -u restante", strings.Join(args, " "), err, out)
		}
	}
	return "runs, and starts with the machine", nil
}

// makeAccount makes the operator's account, which the configuration names.
func (s *setup) makeAccount(ctx context.Context) (string, error) {
	name, _, _ := strings.Cut(s.cfg.Policy.Operator, "@")
	if name == "" {
		return "none: policy.operator is empty", nil
	}
	a, done, err := openAccounts(ctx, s.f.configFile, s.e)
	if err != nil {
		return "", err
	}
	if _, err := a.do(ctx, adminRequest{Op: opShow, Ref: name}); err == nil {
		done()
		return s.cfg.Policy.Operator + " is there already", nil
	}
	reply, err := a.do(ctx, adminRequest{Op: opNew, Ref: name})
	done()
	if err = errors.Join(err, giveToRelay(s.cfg.DataDir)); err != nil {
		return "", err
	}
	fmt.Fprintln(s.e.stdout)
	printNewAccount(s.e, reply, true) // the configuration names it
	return s.cfg.Policy.Operator + " made", nil
}

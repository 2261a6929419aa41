package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Check returns all faults of the configuration, joined, or nil. It looks at
// the values alone: that files exist is found out by who opens them.
func (c *Config) Check() error {
	if faults := c.faults(); len(faults) > 0 {
		return join(faults)
	}
	return nil
}

// faults is Check with a list for a result.
func (c *Config) faults() []Fault {
	k := &checker{}
	c.checkNames(k)
	c.checkFiles(k)
	c.checkListen(k)
	c.checkLimits(k)
	c.checkExpiry(k)
	c.checkQueue(k)
	c.checkPush(k)
	c.checkConfine(k)
	k.word("policy.encryption", c.Policy.Encryption, "required", "inbound-optional")
	c.checkInboundAuth(k)
	c.checkOperator(k)
	k.word("signup.policy", c.Signup.Policy, "open", "token", "closed")
	k.word("policy.append", c.Policy.Append, "encrypted", "any")
	k.word("policy.mta_sts", c.Policy.MTASTS, "enforce", "testing", "none")
	k.word("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.word("log.format", c.Log.Format, "text", "json")
	return k.faults
}

func (c *Config) checkInboundAuth(k *checker) {
	k.word("policy.inbound_auth", c.Policy.InboundAuth, "dkim", "dmarc", "off")
	if c.Policy.InboundAuth == "off" && c.Listen.MX.Address != "" && !isLoopback(c.Listen.MX.Address) {
		k.fault("policy.inbound_auth", `anybody could write in anybody's name; write "dkim" or "dmarc", or put listen.mx on 127.0.0.1`)
	}
}

func (c *Config) checkOperator(k *checker) {
	local, domain, _ := strings.Cut(c.Policy.Operator, "@")
	if c.Policy.Operator != "" && (local == "" || domain != c.Domain) {
		k.fault("policy.operator", "this is no address of this relay; write one that ends in @%s", c.Domain)
	}
	if c.Policy.Operator == "" && c.Policy.OperatorCleartext {
		k.fault("policy.operator_cleartext", "this has no effect without operator; write that too, or leave this out")
	}
}

// isLoopback reports whether an address can be reached from this machine only.
func isLoopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().IsLoopback()
}

// A checker collects faults.
type checker struct{ faults []Fault }

func (k *checker) fault(key, format string, args ...any) {
	k.faults = append(k.faults, Fault{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// word checks a setting that is one of a few words.
func (k *checker) word(key, value string, words ...string) {
	if !slices.Contains(words, value) {
		k.fault(key, "%q is not possible; write %s", value, oneOf(words))
	}
}

// oneOf lists words for people.
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// between checks a setting that has a least and a greatest value.
func between[T int | Size | Duration](k *checker, key string, value, least, most T) {
	if value < least || value > most {
		k.fault(key, "%v is not possible; write %v to %v", value, least, most)
	}
}

func (c *Config) checkNames(k *checker) {
	if c.Domain == "" {
		k.fault("domain", `this setting is required; write the mail domain, such as "example.org"`)
		return
	}
	checkName(k, "domain", c.Domain)
	if c.Hostname != "" {
		checkName(k, "hostname", c.Hostname)
	}
	if c.Onion != "" {
		checkName(k, "onion", c.Onion)
		if !strings.HasSuffix(c.Onion, ".onion") {
			k.fault("onion", "%q is no onion service; write the name that Tor gave it, which ends in .onion", c.Onion)
		}
	}
}

// checkName checks a domain name (RFC 1123, 2.1). A label may begin with an
// underscore: Delta Chat then takes the relay's own certificate.
func checkName(k *checker, key, name string) {
	for _, c := range name {
		if c > 'z' {
			k.fault(key, "%q is not ASCII; write the form that begins with xn--", name)
			return
		}
		if c >= 'A' && c <= 'Z' {
			k.fault(key, "%q has capital letters; write small ones", name)
			return
		}
	}
	bad := func(label string) bool {
		return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(strings.TrimPrefix(label, "_"), "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
	}
	if _, err := netip.ParseAddr(name); err == nil {
		k.fault(key, "%q is an address; write a domain name such as \"example.org\"", name)
		return
	}
	if len(name) > 253 || slices.ContainsFunc(strings.Split(name, "."), bad) {
		k.fault(key, "%q is no domain name; write one such as \"example.org\"", name)
	}
}

// maxSocketPath is the longest path of a Unix socket, on Linux and the BSDs.
const maxSocketPath = 103

func (c *Config) checkFiles(k *checker) {
	if c.DataDir == "" {
		k.fault("data_dir", "write the path of a folder")
	}
	k.absolute("data_dir", c.DataDir)
	k.absolute("admin_socket", c.AdminSocket)
	if len(c.AdminSocket) > maxSocketPath {
		k.fault("admin_socket", "the path is longer than the %d bytes that a socket can have; write a shorter one", maxSocketPath)
	}
	if name, ok := strings.CutPrefix(c.RelayKeyFile, credentialPrefix); !ok {
		k.absolute("relay_key_file", c.RelayKeyFile)
	} else if name == "" || name != filepath.Base(name) || name == ".." || name == "." {
		k.fault("relay_key_file", `%q names no credential; write "credential:relay.key" or the like`, c.RelayKeyFile)
	}
	k.absolute("tls.cert_file", c.TLS.CertFile)
	k.absolute("tls.key_file", c.TLS.KeyFile)
	if c.TLS.CertFile == "" && c.TLS.KeyFile != "" {
		k.fault("tls.cert_file", "write the certificate that belongs to key_file, or leave out both")
	}
	if c.TLS.KeyFile == "" && c.TLS.CertFile != "" {
		k.fault("tls.key_file", "write the key that belongs to cert_file, or leave out both")
	}
	c.checkACME(k)
	k.absolute("signup.token_keys", c.Signup.TokenKeys)
	if c.Signup.Policy == "token" && c.Signup.TokenKeys == "" {
		k.fault("signup.token_keys", `policy = "token" needs the keys that tokens are signed with; write the path of their file`)
	}
	k.absolute("store_password_file", c.StorePasswordFile)
	c.checkStore(k)
}

func (c *Config) checkACME(k *checker) {
	a := c.TLS.ACME
	k.absolute("tls.acme.root_file", a.RootFile)
	if a.Directory == "" {
		return
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		k.fault("tls.acme.directory", `%q is no address of a directory; write one such as "https://acme-v02.api.letsencrypt.org/directory"`, a.Directory)
	}
	if c.TLS.CertFile != "" {
		k.fault("tls.acme.directory", "cert_file has a certificate already; leave out one of the two")
	}
}

// absolute checks the path of a file. A relative one would depend on where the
// relay is started from.
func (k *checker) absolute(key, path string) {
	if path != "" && !filepath.IsAbs(path) {
		k.fault(key, "%q depends on where the relay is started; write a path that begins with /", path)
	}
}

func (c *Config) checkStore(k *checker) {
	if c.Store == "" {
		return // Resolve sets it
	}
	kind, target, err := c.StoreTarget()
	if err != nil {
		k.fault("store", "%v", err)
		return
	}
	if kind == SQLite {
		k.absolute("store", target)
		if c.StorePasswordFile != "" {
			k.fault("store_password_file", "an SQLite store has no password; leave this out")
		}
		if c.RequireSync {
			k.fault("require_sync", "an SQLite store has no standby; leave this out")
		}
		if c.HintBus != "" {
			k.fault("hint_bus", "an SQLite store has no other nodes; leave this out")
		}
		if c.S3.Bucket != "" {
			k.fault("s3.bucket", "an SQLite store has large bodies in files; leave this out")
		}
		return
	}
	c.checkHintBus(k)
	c.checkS3(k)
	u, err := url.Parse(target)
	if err != nil || u.Host == "" && !u.Query().Has("host") { // a socket is named there
		k.fault("store", "%v", errStore)
		return
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		k.fault("store", "take out the password and write it into a file that store_password_file names")
	}
}

// listeners returns the ports by key, in the order of the file.
func (c *Config) listeners() []namedListener {
	all := []namedListener{
		{"listen.smtps", c.Listen.SMTPS},
		{"listen.submission", c.Listen.Submission},
		{"listen.mx", c.Listen.MX},
		{"listen.imaps", c.Listen.IMAPS},
		{"listen.imap", c.Listen.IMAP},
		{"listen.https", c.Listen.HTTPS},
		{"listen.http", c.Listen.HTTP},
	}
	if c.Listen.Metrics.Address != "" {
		all = append(all, namedListener{"listen.metrics", c.Listen.Metrics})
	}
	if c.TLS.ACME.Directory != "" {
		all = append(all, namedListener{"listen.acme", c.Listen.ACME})
	}
	return all
}

type namedListener struct {
	key string
	Listener
}

func (c *Config) checkListen(k *checker) {
	taken := map[string]string{}
	for _, l := range c.listeners() {
		k.word(l.key+".network", l.Network, "ip", "proxy", "shared")
		if l.Network == "proxy" && len(l.TrustedProxies) == 0 {
			k.fault(l.key+".trusted_proxies", `network = "proxy" needs the addresses of the proxies; write a list such as ["192.0.2.1"]`)
		}
		if l.Network != "proxy" && len(l.TrustedProxies) > 0 {
			k.fault(l.key+".trusted_proxies", `this has no effect without network = "proxy"; write that too, or leave this out`)
		}
		if l.Address == "" {
			continue
		}
		port := checkAddress(k, l.key+".address", l.Address)
		if other, ok := taken[l.Address]; ok && port != 0 {
			k.fault(l.key+".address", "%s has the same address; write another one", other)
		}
		taken[l.Address] = l.key
	}
	if c.Listen.HTTP.Address != "" && c.Listen.HTTP.Network == "ip" {
		k.fault("listen.http.network", `without TLS passwords would cross the network in clear; write "shared" behind an onion service, "proxy" behind a proxy, or use listen.https`)
	}
	if host, _, err := net.SplitHostPort(c.Listen.Metrics.Address); err == nil && !private(host) {
		k.fault("listen.metrics.address", `whoever reaches this port can read it; write an address that only you reach, such as "127.0.0.1:9600"`)
	}
	if c.Listen.Shared && c.Listen.HTTPS.Address == "" {
		k.fault("listen.shared_https", "there is no https port to share; give listen.https an address")
	}
	if len(taken) == 0 {
		k.fault("listen", "all ports are off; give one of them an address")
	}
}

// private tells whether an address is one that the internet does not lead to.
func private(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast())
}

// checkAddress checks the address of a port and returns its number.
func checkAddress(k *checker, key, address string) uint16 {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		k.fault(key, `%q is no address with a port; write one such as ":993"`, address)
		return 0
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		k.fault(key, "%q is no IP address; write one, or leave it out for all addresses", host)
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		k.fault(key, "%q is no port; write a number up to 65535", number)
	}
	return uint16(port)
}

// checkLimits is a flat table of bounds. They are those within which the relay
// still works, not advice.
func (c *Config) checkLimits(k *checker) {
	const (
		second = Duration(time.Second)
		hour   = Duration(time.Hour)
	)
	l := c.Limits
	between(k, "limits.message_size", l.MessageSize, 64<<10, 1<<30)
	between(k, "limits.recipients", l.Recipients, 1, 10000)
	between(k, "limits.smtp_line_length", l.SMTPLineLength, 1000, 1<<20)
	between(k, "limits.imap_command_size", l.IMAPCommandSize, 8<<10, 16<<20)
	between(k, "limits.command_rate", l.CommandRate, 1, 1000000)
	between(k, "limits.connections", l.Connections, 1, 10000000)
	between(k, "limits.connections_per_network", l.ConnectionsPerNetwork, 1, 10000000)
	between(k, "limits.mails_per_network", l.MailsPerNetwork, 1, 1000000000)
	between(k, "limits.mails_per_domain", l.MailsPerDomain, 1, 1000000000)
	between(k, "limits.connections_per_account", l.ConnectionsPerAccount, 1, 10000)
	between(k, "limits.auth_attempts", l.AuthAttempts, 1, 100)
	between(k, "limits.handshake_timeout", l.HandshakeTimeout, second, hour)
	between(k, "limits.smtp_idle_timeout", l.SMTPIdleTimeout, 10*second, 24*hour)
	between(k, "limits.imap_idle_timeout", l.IMAPIdleTimeout, hour/2, 24*hour) // RFC 9051, 5.4
	between(k, "limits.key_linger", l.KeyLinger, second, hour)
	between(k, "limits.progress_timeout", l.ProgressTimeout, 5*second, 24*hour)
	between(k, "limits.disk_reserve", l.DiskReserve, 0, 16<<30)
	between(k, "limits.stop_timeout", l.StopTimeout, second, hour)
	between(k, "quota.bytes", c.Quota.Bytes, l.MessageSize, 1<<50)
	between(k, "quota.messages", c.Quota.Messages, 100, 10000000)
}

// longest is the longest term of mail and accounts that has an end, in days.
const longest = 36500

func (c *Config) checkExpiry(k *checker) {
	e := c.Expiry
	between(k, "expiry.inbox_days", e.InboxDays, 0, longest)
	between(k, "expiry.sent_days", e.SentDays, 0, longest)
	between(k, "expiry.trash_days", e.TrashDays, 0, longest)
	between(k, "expiry.junk_days", e.JunkDays, 0, longest)
	between(k, "expiry.large_days", e.LargeDays, 0, longest)
	between(k, "expiry.large_size", e.LargeSize, 1<<10, 1<<40)
	if e.IdleDays != 0 && e.IdleDays < 30 { // the reminders come 14 and 3 days before
		k.fault("expiry.idle_days", "%d is not possible; write 0 for never, or 30 and more", e.IdleDays)
	}
	between(k, "expiry.idle_days", e.IdleDays, 0, longest)
	between(k, "expiry.backup_idle_days", e.BackupIdleDays, 0, longest)
}

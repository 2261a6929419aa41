package config

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := Parse(strings.NewReader(`
		domain = "relay.test"
		data_dir = "/srv/mail"
		relay_key_file = "credential:relay.key"
		[listen.imaps]
		address = "[::1]:9993"
		network = "proxy"
		trusted_proxies = ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"]
		[listen.imap]
		address = ""
		[limits]
		message_size = 1000000
		imap_command_size = "128kb"
		imap_idle_timeout = "1h"
		[policy]
		append = "any"
		[dns]
		servers = ["127.0.0.1:53", "[::1]:53"]
	`))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Domain, want.Hostname, want.DataDir = "relay.test", "relay.test", "/srv/mail"
	want.Store, want.AdminSocket = "sqlite:/srv/mail/restante.db", "/srv/mail/admin.sock"
	want.RelayKeyFile, want.Queue.DKIMDir = "credential:relay.key", "/srv/mail/dkim"
	want.DNS.Servers = []string{"127.0.0.1:53", "[::1]:53"}
	want.Listen.IMAPS = Listener{Address: "[::1]:9993", Network: "proxy", TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	want.Listen.IMAP.Address = ""
	want.Limits.MessageSize, want.Limits.IMAPCommandSize = 1000000, 128<<10
	want.Limits.IMAPIdleTimeout = Duration(3600e9)
	want.Policy.Append = "any"
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const domain = "domain = \"relay.test\"\n"
	tests := []struct {
		name, text, key, want string
	}{
		{"no domain", ``, "domain", "this setting is required"},
		{"domain with a capital", `domain = "Relay.test"`, "domain", "small"},
		{"domain not ASCII", `domain = "poste.été"`, "domain", "xn--"},
		{"empty label", `domain = "relay..test"`, "domain", "no domain name"},
		{"domain with a space", `domain = "relay test"`, "domain", "no domain name"},
		{"label ends in hyphen", `domain = "relay-.test"`, "domain", "no domain name"},
		{"underscore within", `domain = "relay_1.test"`, "domain", "no domain name"},
		{"address for a domain", `domain = "192.0.2.1"`, "domain", "is an address"},
		{"long label", `domain = "` + strings.Repeat("a", 64) + `.test"`, "domain", "no domain name"},
		{"hostname", domain + `hostname = "_mail"` + "\n" + `data_dir = "var"`, "data_dir", "begins with /"},
		{"bad hostname", domain + `hostname = "-mail"`, "hostname", "no domain name"},
		{"no onion", domain + `onion = "relay.test"`, "onion", "ends in .onion"},
		{"number for text", `domain = 5`, "domain", "quotation marks"},
		{"misspelt", domain + `data_dri = "/x"`, "data_dri", "did you mean data_dir?"},
		{"in the wrong table", domain + `message_size = 1`, "message_size", "did you mean limits.message_size?"},
		{"misspelt in a table", domain + "[limits]\nrecipient = 1", "limits.recipient", "did you mean limits.recipients?"},
		{"misspelt table", domain + "[limit]\nrecipients = 1", "limit", "did you mean limits?"},
		{"capital", domain + "Store = ''", "Store", "did you mean store?"},
		{"like nothing", domain + `zzzzzzzzzz = 1`, "zzzzzzzzzz", "config.example.toml"},
		{"value for a table", domain + `limits = 3`, "limits", "[limits]"},
		{"value for a table in a table", domain + "[listen]\nimap = ':143'", "listen.imap", "[listen.imap]"},
		{"table for a value", domain + "[store]\npath = ''", "store", "quotation marks"},
		{"table for a size", domain + "[quota.bytes]\nx = 1", "quota.bytes", "64KB"},
		{"text for a number", domain + "[limits]\nrecipients = '3'", "limits.recipients", "whole number"},
		{"fraction", domain + "[limits]\nrecipients = 3.5", "limits.recipients", "whole number"},
		{"size unit", domain + "[limits]\nmessage_size = '30 bags'", "limits.message_size", "64KB"},
		{"size overflow", domain + "[limits]\nmessage_size = '9999999999GB'", "limits.message_size", "64KB"},
		{"size too small", domain + "[limits]\nmessage_size = 5", "limits.message_size", "write 64KB to 1GB"},
		{"duration without unit", domain + "[limits]\nstop_timeout = 10", "limits.stop_timeout", "write a duration"},
		{"duration unit", domain + "[limits]\nstop_timeout = '10 parsecs'", "limits.stop_timeout", "write a duration"},
		{"duration negative", domain + "[limits]\nstop_timeout = '-1s'", "limits.stop_timeout", "write 1s to 1h"},
		{"IMAP timeout below the RFC", domain + "[limits]\nimap_idle_timeout = '5m'", "limits.imap_idle_timeout", "write 30m to 24h"},
		{"quota below a message", domain + "[quota]\nbytes = '1MB'", "quota.bytes", "write 30MB to"},
		{"operator elsewhere", domain + "[policy]\noperator = 'anna@example.net'", "policy.operator", "no address of this relay"},
		{"operator without a name", domain + "[policy]\noperator = '@example.org'", "policy.operator", "no address of this relay"},
		{"nobody's cleartext", domain + "[policy]\noperator_cleartext = true", "policy.operator_cleartext", "no effect"},
		{"mails", domain + "[limits]\nmails_per_domain = 0", "limits.mails_per_domain", "write 1 to"},
		{"inbound_auth", domain + "[policy]\ninbound_auth = 'spf'", "policy.inbound_auth", `write "dkim", "dmarc" or "off"`},
		{"inbound_auth off", domain + "[policy]\ninbound_auth = 'off'", "policy.inbound_auth", "anybody"},
		{"push without TLS", domain + "[push]\nproxy = 'http://push.example.net/notify'", "push.proxy", "https://"},
		{"policy", domain + "[policy]\nappend = 'all'", "policy.append", `write "encrypted" or "any"`},
		{"no encryption", domain + "[policy]\nencryption = 'optional'", "policy.encryption", `write "required" or "inbound-optional"`},
		{"log level", domain + "[log]\nlevel = 'loud'", "log.level", `"debug", "info", "warn" or "error"`},
		{"log format", domain + "[log]\nformat = 'xml'", "log.format", `"text" or "json"`},
		{"address without port", domain + "[listen.imap]\naddress = '127.0.0.1'", "listen.imap.address", `":993"`},
		{"address by name", domain + "[listen.imap]\naddress = 'localhost:143'", "listen.imap.address", "no IP address"},
		{"port by name", domain + "[listen.imap]\naddress = ':imap'", "listen.imap.address", "65535"},
		{"port too large", domain + "[listen.imap]\naddress = ':70000'", "listen.imap.address", "65535"},
		{"same address", domain + "[listen.imap]\naddress = ':993'", "listen.imap.address", "listen.imaps has the same"},
		{"network", domain + "[listen.imap]\nnetwork = 'tor'", "listen.imap.network", `"ip", "proxy" or "shared"`},
		{"proxy without proxies", domain + "[listen.mx]\nnetwork = 'proxy'", "listen.mx.trusted_proxies", "needs the addresses"},
		{"proxies without proxy", domain + "[listen.mx]\ntrusted_proxies = ['10.0.0.1']", "listen.mx.trusted_proxies", "no effect"},
		{"proxies no list", domain + "[listen.mx]\nnetwork = 'proxy'\ntrusted_proxies = '10.0.0.1'", "listen.mx.trusted_proxies", "write a list"},
		{"proxy by name", domain + "[listen.mx]\nnetwork = 'proxy'\ntrusted_proxies = ['haproxy']", "listen.mx.trusted_proxies", "no IP address"},
		{"proxy prefix with host bits", domain + "[listen.mx]\nnetwork = 'proxy'\ntrusted_proxies = ['10.0.0.1/8']", "listen.mx.trusted_proxies", "no IP address"},
		{"all off", domain + "[listen]\nsmtps.address=''\nsubmission.address=''\nmx.address=''\nimaps.address=''\nimap.address=''\nhttps.address=''", "listen", "all ports are off"},
		{"passwords in clear", domain + "[listen.http]\naddress = ':80'", "listen.http.network", "in clear"},
		{"tokens without keys", domain + "[signup]\npolicy = 'token'", "signup.token_keys", "needs the keys"},
		{"certificate alone", domain + "[tls]\ncert_file = '/c.pem'", "tls.key_file", "belongs to cert_file"},
		{"key alone", domain + "[tls]\nkey_file = '/k.pem'", "tls.cert_file", "belongs to key_file"},
		{"relative certificate", domain + "[tls]\ncert_file = 'c.pem'\nkey_file = '/k.pem'", "tls.cert_file", "begins with /"},
		{"relative key file", domain + `relay_key_file = "relay.key"`, "relay_key_file", "begins with /"},
		{"credential with a path", domain + `relay_key_file = "credential:../x"`, "relay_key_file", "names no credential"},
		{"no data folder", domain + `data_dir = ""`, "data_dir", "path of a folder"},
		{"long socket", domain + `admin_socket = "/` + strings.Repeat("a", 110) + `"`, "admin_socket", "longer"},
		{"long default socket", domain + `data_dir = "/` + strings.Repeat("a", 110) + `"`, "admin_socket", "longer"},
		{"store kind", domain + `store = "mysql://host/db"`, "store", "sqlite:/path"},
		{"store path", domain + `store = "sqlite:mail.db"`, "store", "begins with /"},
		{"store without host", domain + `store = "postgres:///db"`, "store", "postgres://user@host"},
		{"store with password", domain + `store = "postgres://u:hunter2@host/db"`, "store", "take out the password"},
		{"store with password parameter", domain + `store = "postgres://u@host/db?password=hunter2"`, "store", "take out the password"},
		{"password for SQLite", domain + `store = "sqlite:/m.db"` + "\n" + `store_password_file = "/p"`, "store_password_file", "no password"},
		{"hint bus for SQLite", domain + `hint_bus = "tls://bus:4222"`, "hint_bus", "no other nodes"},
		{"hint bus in clear", domain + `store = "postgres://relay@one/mail"` + "\n" + `hint_bus = "nats://bus:4222"`, "hint_bus", "tls://bus:4222"},
		{"hint bus with a password", domain + `store = "postgres://relay@one/mail"` + "\n" + `hint_bus = "tls://a:b@bus:4222"`, "hint_bus", "credentials file"},
		{"credentials for no bus", domain + `store = "postgres://relay@one/mail"` + "\n" + `hint_bus_credentials = "/x"`, "hint_bus_credentials", "leave this out"},
		{"bucket for SQLite", domain + "[s3]\nbucket = 'bodies'", "s3.bucket", "files"},
		{"bucket without a server", domain + `store = "postgres://relay@one/mail"` + "\n[s3]\nbucket = 'bodies'\ncredentials_file = '/key'", "s3.endpoint", "https://host"},
		{"bucket in clear", domain + `store = "postgres://relay@one/mail"` + "\n[s3]\nbucket = 'bodies'\ncredentials_file = '/key'\nendpoint = 'http://far:80'", "s3.endpoint", "https://far:80"},
		{"bucket with a key in the URL", domain + `store = "postgres://relay@one/mail"` + "\n[s3]\nbucket = 'bodies'\ncredentials_file = '/key'\nendpoint = 'https://a:b@far'", "s3.endpoint", "credentials_file"},
		{"bucket without a key", domain + `store = "postgres://relay@one/mail"` + "\n[s3]\nbucket = 'bodies'\nendpoint = 'https://far'", "s3.credentials_file", "name the file"},
		{"standby for SQLite", domain + "require_sync = true", "require_sync", "no standby"},
		{"resolver without port", domain + "[dns]\nservers = ['127.0.0.1']", "dns.servers", "address with a port"},
		{"resolvers no list", domain + "[dns]\nservers = '127.0.0.1:53'", "dns.servers", "write a list"},
		{"resolvers of numbers", domain + "[dns]\nservers = [53]", "dns.servers", "write a list"},
		{"no TLS", domain + "[queue]\ntls = 'none'", "queue.tls", `"opportunistic"`},
		{"relay host without port", domain + "[queue]\nrelay_host = 'smtp.example.net'", "queue.relay_host", "with a port"},
		{"relay host of no name", domain + "[queue]\nrelay_host = 'SMTP:465'", "queue.relay_host", "capital"},
		{"login without relay host", domain + "[queue]\nrelay_user = 'u'\nrelay_password_file = '/p'", "queue.relay_user", "nobody to log in to"},
		{"login without password", domain + "[queue]\nrelay_host = '192.0.2.1:587'\nrelay_user = 'u'", "queue.relay_password_file", "needs a password"},
		{"all by no proxy", domain + "[queue]\nproxy_all = true", "queue.proxy_all", "no proxy"},
		{"patience", domain + "[queue]\nmax_age = '1m'", "queue.max_age", "write 1h to"},
		{"not a truth", domain + `require_sync = "yes"`, "require_sync", "true or false"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(strings.NewReader(test.text))
			got := faultsOf(err)
			if len(got) != 1 || got[0].Key != test.key || !strings.Contains(got[0].Problem, test.want) {
				t.Errorf("got %v\nwant one fault for %s with %q", err, test.key, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows a password")
			}
		})
	}
}

// faultsOf takes a joined error apart.
func faultsOf(err error) []Fault {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var faults []Fault
	for _, e := range joined.Unwrap() {
		var f Fault
		if errors.As(e, &f) {
			faults = append(faults, f)
		}
	}
	return faults
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse(strings.NewReader("domain = 3\nhostnam = ''\n[limits]\nrecipients = 'x'\nauth_attempts = 0\n[log]\nlevel = ''\n"))
	var keys []string
	for _, f := range faultsOf(err) {
		keys = append(keys, f.Key)
	}
	want := []string{"domain", "hostnam", "limits.recipients", "limits.auth_attempts", "log.level"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s\nerror: %v", diff, err)
	}
}

func TestSyntaxErrorNamesLine(t *testing.T) {
	t.Parallel()
	_, err := Parse(strings.NewReader("domain = \"a\"\nstore = = 1\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "line 2:") {
		t.Errorf("got %v, want the line", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "restante.toml")
	if _, err := Load(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there is no file", err)
	}
	if err := os.WriteFile(name, bytes.Repeat([]byte("#"), maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if err := os.WriteFile(name, []byte(`domain = "relay.test"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(name); err != nil || c.Domain != "relay.test" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestShowRoundTrip(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Domain = "relay.test"
	c.Listen.MX.Network = "proxy"
	c.Listen.MX.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	c.Store, c.RequireSync = "postgres://relay@one,two/mail", true
	c.Limits.StopTimeout = Duration(90e9)
	c.Resolve()
	var b bytes.Buffer
	if err := c.Show(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got, equal); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckNeedsNoResolve(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Domain = "relay.test"
	if err := c.Check(); err != nil {
		t.Errorf("before Resolve: %v", err)
	}
	c.Resolve()
	if err := c.Check(); err != nil {
		t.Errorf("after Resolve: %v", err)
	}
}

func TestRelayKeyPath(t *testing.T) {
	t.Parallel()
	env := func(value string) func(string) string {
		return func(name string) string {
			if name == "CREDENTIALS_DIRECTORY" {
				return value
			}
			return ""
		}
	}
	c := &Config{RelayKeyFile: "/etc/relay.key"}
	if got, err := c.RelayKeyPath(env("/run/cred")); err != nil || got != "/etc/relay.key" {
		t.Errorf("file: got %q, %v", got, err)
	}
	c.RelayKeyFile = "credential:relay.key"
	if got, err := c.RelayKeyPath(env("/run/cred")); err != nil || got != "/run/cred/relay.key" {
		t.Errorf("credential: got %q, %v", got, err)
	}
	if _, err := c.RelayKeyPath(env("")); err == nil || !strings.Contains(err.Error(), "LoadCredential=relay.key:") {
		t.Errorf("no credentials: got %v, want what to add", err)
	}
}

func TestStoreTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		store  string
		kind   StoreKind
		target string
	}{
		{"sqlite:/m.db", SQLite, "/m.db"},
		{"postgres://u@h/d", Postgres, "postgres://u@h/d"},
		{"postgresql://u@h/d", Postgres, "postgresql://u@h/d"},
		{"sqlite:", "", ""},
		{"/m.db", "", ""},
	}
	for _, test := range tests {
		kind, target, err := (&Config{Store: test.store}).StoreTarget()
		if kind != test.kind || target != test.target || (err == nil) != (kind != "") {
			t.Errorf("%s: got %q, %q, %v", test.store, kind, target, err)
		}
	}
}

func TestValuesPrintAsTheyRead(t *testing.T) {
	t.Parallel()
	for size, want := range map[Size]string{0: "0", 1000: "1000", 1024: "1KB", 1536: "1536", 30 << 20: "30MB", 3 << 30: "3GB"} {
		if got := size.String(); got != want {
			t.Errorf("size %d: got %s, want %s", int64(size), got, want)
		}
	}
	for d, want := range map[Duration]string{0: "0s", 10e9: "10s", 60e9: "1m", 90e9: "1m30s", 3600e9: "1h", 5400e9: "1h30m", 3605e9: "1h0m5s", 36000e9: "10h"} {
		if got := d.String(); got != want {
			t.Errorf("duration %d: got %s, want %s", int64(d), got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"data_dri", "data_dir", 2},
	}
	for _, test := range tests {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q): got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// FuzzParse checks that what parses is shown as a file that says the same.
func FuzzParse(f *testing.F) {
	f.Add("domain = 'relay.test'\n[listen.imap]\naddress = ''\n[tls]\ncert_file = '/c'\nkey_file = '/k'\n[log]\nlevel = 'warn'\n")
	f.Add("domain = 'a'\nlisten = {mx = {network = 'proxy', trusted_proxies = ['::1', '10.0.0.0/8']}}\n")
	f.Add("domain = '_a.b'\nlimits.message_size = '64kb'\nquota.bytes = 0x4000000\nlimits.stop_timeout = '1h0.5s'\n")
	f.Add("a.b.c = [[[]]]\n[[limits]]\nx = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return // the TOML decoder takes long over long dotted keys
		}
		c, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := c.Show(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(strings.NewReader(b.String()))
		if err != nil {
			t.Fatalf("%v in what was shown:\n%s", err, b.String())
		}
		if diff := cmp.Diff(c, again, equal); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

// TestUncheckedOnLoopback: mail from other relays may go unchecked where only this
// machine can be one.
func TestUncheckedOnLoopback(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"127.0.0.1:25": true, "[::1]:25": true, "": true, ":25": false, "192.0.2.1:25": false} {
		_, err := Parse(strings.NewReader("domain = 'example.org'\n[policy]\ninbound_auth = 'off'\n[listen.mx]\naddress = '" + address + "'\n"))
		if (err == nil) != ok {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

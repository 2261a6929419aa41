package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"
)

// DNS says how names of other relays are looked up.
type DNS struct {
	// The resolvers, such as ["127.0.0.1:53"], each of which is asked when the one
	// before has failed. Empty takes those of /etc/resolv.conf.
	Servers []string `toml:"servers"`

	// Whether to believe these resolvers when they say that DNSSEC vouches for an
	// answer. That is right for a validating resolver on this machine, and wrong
	// for one across a network. With it, what other relays publish about their
	// certificates counts (DANE).
	DNSSEC bool `toml:"dnssec"`
}

// Queue says how mail goes to other relays.
type Queue struct {
	// Whether users can write to other domains at all.
	Enabled bool `toml:"enabled"`

	// How well the server of another domain must prove itself before it gets
	// mail. "verified": by a certificate for its name. "encrypted": any
	// certificate will do, which is safe from those who listen but not from those
	// who interfere. "opportunistic": TLS if it is offered. What the other domain
	// itself asks for (MTA-STS, DANE) can't be weakened.
	TLS string `toml:"tls"`

	// A PEM file of authorities that other servers' certificates may come from
	// besides those that the system trusts, such as the ca.pem of a friend's relay.
	CAFile string `toml:"ca_file"`

	// Whether to offer mail over HTTPS first, as chatmail relays take it from one
	// another (/mxdeliv); where that is not there, it goes by SMTP.
	HTTPS bool `toml:"https"`

	// Whether mail goes to addresses such as user@[192.0.2.1].
	AddressLiterals bool `toml:"address_literals"`

	// Whether mail may go to servers with addresses of private networks and of this
	// machine. Whoever writes DNS records decides where mail goes, so leave it off
	// unless this relay is part of such a network.
	PrivateNetworks bool `toml:"private_networks"`

	// The ports of other servers, for SMTP and HTTPS. They are these everywhere but
	// in networks of one's own.
	Port      int `toml:"port"`
	HTTPSPort int `toml:"https_port"`

	// Whether to tell other domains that ask for it (TLS-RPT), once a day, how often
	// TLS with their servers came about and why it failed. They, or the service that
	// they name, learn how many connections this relay made, not for whom.
	TLSReports bool `toml:"tls_reports"`

	// A server that takes all mail for other domains, such as
	// "smtp.example.net:465", where port 25 is blocked. Port 465 is TLS from the
	// first byte, any other begins with STARTTLS. It learns who of yours writes to
	// whom and when, but not what.
	RelayHost string `toml:"relay_host"`

	// The name to log in there with, if any, and the file with the password.
	RelayUser         string `toml:"relay_user"`
	RelayPasswordFile string `toml:"relay_password_file"`

	// A SOCKS5 proxy, such as Tor's at "127.0.0.1:9050". Mail for domains that end
	// in .onion goes through it; without it there is no way there.
	SOCKSProxy string `toml:"socks_proxy"`

	// Whether everything else that goes out takes the proxy as well, questions to
	// the resolvers included, which must then be reachable through it by TCP.
	ProxyAll bool `toml:"proxy_all"`

	// The folder of the keys that outgoing mail is signed with (DKIM). Empty means
	// dkim in data_dir. It must be the same on every node.
	DKIMDir string `toml:"dkim_dir"`

	// How long a message is tried before its sender gets it back.
	MaxAge Duration `toml:"max_age"`

	// How many messages may wait at most. More are refused for the moment.
	Messages int `toml:"messages"`

	// How many domains get mail at a time, and by how many connections each.
	Destinations   int `toml:"destinations"`
	PerDestination int `toml:"connections_per_destination"`
}

// defaultQueue is the queue of an empty file.
func defaultQueue() Queue {
	return Queue{
		Enabled: true, TLS: "verified", HTTPS: true, Port: 25, HTTPSPort: 443, MaxAge: Duration(48 * time.Hour), Messages: 200000,
		Destinations: 64, PerDestination: 10,
	}
}

func (c *Config) resolveQueue() {
	orDefault(&c.Queue.DKIMDir, filepath.Join(c.DataDir, "dkim"))
}

func (c *Config) checkQueue(k *checker) {
	for _, s := range c.DNS.Servers {
		checkAddress(k, "dns.servers", s)
	}
	q := c.Queue
	k.word("queue.tls", q.TLS, "verified", "encrypted", "opportunistic")
	k.absolute("queue.ca_file", q.CAFile)
	k.absolute("queue.relay_password_file", q.RelayPasswordFile)
	k.absolute("queue.dkim_dir", q.DKIMDir)
	between(k, "queue.port", q.Port, 1, 65535)
	between(k, "queue.https_port", q.HTTPSPort, 1, 65535)
	between(k, "queue.max_age", q.MaxAge, Duration(time.Hour), Duration(30*24*time.Hour))
	between(k, "queue.messages", q.Messages, 1, 100000000)
	between(k, "queue.destinations", q.Destinations, 1, 10000)
	between(k, "queue.connections_per_destination", q.PerDestination, 1, 100)
	c.checkRelayHost(k)
	if q.SOCKSProxy != "" {
		checkHostPort(k, "queue.socks_proxy", q.SOCKSProxy)
	}
	if q.ProxyAll && q.SOCKSProxy == "" {
		k.fault("queue.proxy_all", "there is no proxy to take; write queue.socks_proxy too, or leave this out")
	}
}

func (c *Config) checkRelayHost(k *checker) {
	q := c.Queue
	if q.RelayHost != "" {
		checkHostPort(k, "queue.relay_host", q.RelayHost)
	}
	if q.RelayHost == "" && q.RelayUser != "" {
		k.fault("queue.relay_user", "there is nobody to log in to; write queue.relay_host too, or leave this out")
	}
	if q.RelayUser != "" && q.RelayPasswordFile == "" {
		k.fault("queue.relay_password_file", "a login needs a password; write the path of the file that holds it")
	}
}

// checkHostPort checks the name or address and the port of another server.
func checkHostPort(k *checker, key, text string) {
	host, number, err := net.SplitHostPort(text)
	port, portErr := strconv.ParseUint(number, 10, 16)
	if err != nil || host == "" || portErr != nil || port == 0 {
		k.fault(key, `%q is no server with a port; write one such as "smtp.example.net:465"`, text)
		return
	}
	if _, err := netip.ParseAddr(host); err != nil {
		checkName(k, key, host)
	}
}

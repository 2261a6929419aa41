package config

import (
	"net/netip"
	"net/url"
)

// checkHintBus asks for TLS on the way to another machine: which accounts get mail,
// and when, could be read there.
func (c *Config) checkHintBus(k *checker) {
	if c.HintBus == "" {
		if c.HintBusCredentials != "" {
			k.fault("hint_bus_credentials", "there is no hint_bus; leave this out")
		}
		return
	}
	u, err := url.Parse(c.HintBus)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls":
		k.fault("hint_bus", `write "tls://host:4222"`)
	case u.User != nil:
		k.fault("hint_bus", "take out the password and write a credentials file that hint_bus_credentials names")
	case u.Scheme == "nats" && !onThisMachine(u.Hostname()):
		k.fault("hint_bus", `write "tls://%s": others could read which accounts change`, u.Host)
	}
}

// onThisMachine reports whether a host is this machine, however it is written.
func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

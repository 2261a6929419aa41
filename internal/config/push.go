package config

import (
	"net/url"
)

// Push says how devices are woken that are not connected.
type Push struct {
	// The proxy that hands push messages on to the makers of phones, such as
	// "https://notifications.delta.chat/notify". It gets the token that a device
	// gave the relay, and nothing else; it learns when that device gets mail.
	// Empty wakes nobody, and devices look for mail themselves.
	Proxy string `toml:"proxy"`
}

func (c *Config) checkPush(k *checker) {
	u, err := url.Parse(c.Push.Proxy)
	if c.Push.Proxy != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		k.fault("push.proxy", `this is no URL of a proxy; write one that begins with "https://", or leave it empty`)
	}
}

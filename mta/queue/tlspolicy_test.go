package queue

import (
	"errors"
	"testing"
)

func TestDecideTLS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		f    tlsFacts
		want TLSLevel
		err  error
	}{
		{name: "default", want: TLSVerified},
		{name: "any certificate", f: tlsFacts{level: TLSEncrypted}, want: TLSEncrypted},
		{name: "opportunistic", f: tlsFacts{level: TLSOpportunistic}, want: TLSOpportunistic},
		{name: "required", f: tlsFacts{level: TLSOpportunistic, required: true}, want: TLSVerified},
		{name: "required, unchecked domain", f: tlsFacts{unchecked: true, required: true}, want: TLSVerified},

		{name: "STS, host named", f: tlsFacts{level: TLSOpportunistic, enforce: true, named: true}, want: TLSVerified},
		{name: "STS, another host", f: tlsFacts{level: TLSOpportunistic, enforce: true}, err: errSTSName},

		{name: "pins", f: tlsFacts{level: TLSOpportunistic, pins: usablePins}, want: TLSVerified},
		{name: "pins before STS", f: tlsFacts{pins: usablePins, enforce: true}, want: TLSVerified},
		{name: "pins unknown", f: tlsFacts{level: TLSOpportunistic, pins: unknownPins}, err: errTLSLookup},
		{name: "pins unknown, STS", f: tlsFacts{pins: unknownPins, enforce: true, named: true}, err: errTLSLookup},
		{name: "pins unusable", f: tlsFacts{level: TLSOpportunistic, pins: unusablePins}, want: TLSEncrypted},
		{name: "pins unusable, default", f: tlsFacts{pins: unusablePins}, want: TLSVerified},
		{name: "pins unusable, STS", f: tlsFacts{level: TLSOpportunistic, pins: unusablePins, enforce: true, named: true}, want: TLSVerified},

		{name: "onion", f: tlsFacts{onion: true}, want: TLSOpportunistic},
		{name: "onion, required", f: tlsFacts{onion: true, required: true}, want: TLSVerified},
		{name: "unchecked", f: tlsFacts{unchecked: true}, want: TLSEncrypted},
		{name: "unchecked, opportunistic", f: tlsFacts{unchecked: true, level: TLSOpportunistic}, want: TLSEncrypted},
	} {
		got, err := decideTLS(c.f)
		if !errors.Is(err, c.err) || err == nil && got != c.want {
			t.Errorf("%s: got %v and %v, want %v and %v", c.name, got, err, c.want, c.err)
		}
	}
}
